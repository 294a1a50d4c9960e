// openai for Node.js: chat completions, responses, embeddings, and its typed errors.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ContentFilterFinishReasonError } from "openai/error";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, run, withheld } from "./checks.mjs";

const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 });
const asked = [{ role: "user", content: QUESTION }];
const unsafe = [{ role: "user", content: UNSAFE_QUESTION }];
const Advice = z.object({ advice: z.string(), see_a_doctor: z.boolean() });
const findClinic = {
  name: "find_clinic",
  description: "Finds the nearest clinic.",
  parameters: {
    type: "object",
    properties: { near: { type: "string" } },
    required: ["near"],
    additionalProperties: false,
  },
  strict: true,
};
const offered = [{ type: "function", function: findClinic }];

await run("openai", {
  async chat() {
    const reply = await client.chat.completions.create({ model: MODEL, messages: asked });
    guarded(reply.choices[0].message.content);
    assert.equal(reply.choices[0].finish_reason, "stop");
    assert.equal(reply.clinalign.outcome, "released");
    assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
    return "the proof is in `clinalign`";
  },

  async streaming() {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const told = chunks.flatMap((chunk) => chunk.choices);
    guarded(told.map((choice) => choice.delta.content ?? "").join(""));
    assert.deepEqual(told.map((choice) => choice.finish_reason).filter(Boolean), ["stop"]);
    assert.ok(chunks.at(-1).usage.completion_tokens > 0);
    const runner = client.chat.completions.stream({ model: MODEL, messages: asked });
    guarded(await runner.finalContent());
  },

  async tools() {
    let called = 0;
    const runner = client.chat.completions.runTools({
      model: MODEL,
      messages: asked,
      stream: true,
      tools: [
        {
          type: "function",
          function: {
            ...findClinic,
            parse: JSON.parse,
            function: ({ near }) => {
              called += 1;
              return near ? CLINIC : "";
            },
          },
        },
      ],
    });
    assert.ok(guarded(await runner.finalContent()).includes(CLINIC));
    assert.equal(called, 1);
    const first = await client.chat.completions.create({ model: MODEL, messages: asked, tools: offered });
    const { message, finish_reason: why } = first.choices[0];
    assert.equal(why, "tool_calls");
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: CLINIC };
    const second = await client.chat.completions.create({
      model: MODEL,
      messages: [...asked, message, result],
      tools: offered,
    });
    assert.ok(guarded(second.choices[0].message.content).includes(CLINIC));
    return "by hand and by `runTools`";
  },

  async "structured output"() {
    const reply = await client.chat.completions.parse({
      model: MODEL,
      messages: asked,
      response_format: zodResponseFormat(Advice, "advice"),
    });
    guarded(reply.choices[0].message.parsed.advice);
  },

  async withheld() {
    const reply = await client.chat.completions.create({ model: MODEL, messages: unsafe });
    withheld(reply.choices[0].message.content);
    assert.equal(reply.choices[0].finish_reason, "content_filter");
    await assert.rejects(
      client.chat.completions.parse({
        model: MODEL,
        messages: unsafe,
        response_format: zodResponseFormat(Advice, "advice"),
      }),
      ContentFilterFinishReasonError,
    );
    return "`finish_reason` is `content_filter`; `.parse()` rejects with `ContentFilterFinishReasonError`";
  },

  async responses() {
    const reply = await client.responses.create({ model: MODEL, input: QUESTION });
    guarded(reply.output_text);
    const stream = client.responses.stream({ model: MODEL, input: QUESTION });
    const kinds = [];
    for await (const event of stream) kinds.push(event.type);
    guarded((await stream.finalResponse()).output_text);
    assert.ok(kinds.filter((kind) => kind === "response.output_text.delta").length > 5);
    const parsed = await client.responses.parse({
      model: MODEL,
      input: QUESTION,
      text: { format: zodTextFormat(Advice, "advice") },
    });
    guarded(parsed.output_parsed.advice);
    const tools = [{ type: "function", ...findClinic }];
    const first = await client.responses.create({ model: MODEL, input: QUESTION, tools });
    const call = first.output.find((item) => item.type === "function_call");
    const result = { type: "function_call_output", call_id: call.call_id, output: CLINIC };
    const second = await client.responses.create({ model: MODEL, input: [...asked, ...first.output, result], tools });
    assert.ok(guarded(second.output_text).includes(CLINIC));
  },

  async embeddings() {
    const reply = await client.embeddings.create({ model: "default", input: ["sore throat", "ibuprofen"] });
    assert.deepEqual(
      reply.data.map((vector) => vector.embedding.length),
      [384, 384],
    );
  },

  async errors() {
    const wrong = new OpenAI({ baseURL: BASE_URL, apiKey: "wrong", maxRetries: 0 });
    await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
    await assert.rejects(
      client.chat.completions.create({ model: MODEL, messages: asked, logprobs: true }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "logprobs" && Boolean(error.requestID),
    );
    await assert.rejects(client.models.retrieve("gpt-x"), OpenAI.NotFoundError);
  },
});
