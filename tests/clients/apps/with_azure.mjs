// openai for Node.js, AzureOpenAI: the key in `api-key`, the deployment in the path.
import assert from "node:assert/strict";
import OpenAI, { AzureOpenAI } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { CLINIC, KEY, MODEL, QUESTION, ROOT, UNSAFE_QUESTION, guarded, run, withheld } from "./checks.mjs";

const terms = { endpoint: ROOT, apiVersion: "2024-10-21", maxRetries: 0 };
const client = new AzureOpenAI({ ...terms, apiKey: KEY });
const asked = [{ role: "user", content: QUESTION }];
const Advice = z.object({ advice: z.string(), see_a_doctor: z.boolean() });
const parameters = { type: "object", properties: { near: { type: "string" } }, required: ["near"] };
const tools = [{ type: "function", function: { name: "find_clinic", description: "Finds a clinic.", parameters } }];

await run(
  "openai",
  {
    async chat() {
      const reply = await client.chat.completions.create({ model: MODEL, messages: asked });
      guarded(reply.choices[0].message.content);
      assert.equal(reply.clinalign.outcome, "released");
    },

    async streaming() {
      const stream = await client.chat.completions.create({ model: MODEL, messages: asked, stream: true });
      const told = [];
      for await (const chunk of stream) told.push(...chunk.choices);
      guarded(told.map((choice) => choice.delta.content ?? "").join(""));
      assert.equal(told.at(-1).finish_reason, "stop");
    },

    async tools() {
      const first = await client.chat.completions.create({ model: MODEL, messages: asked, tools });
      const { message } = first.choices[0];
      const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: CLINIC };
      const messages = [...asked, message, result];
      const second = await client.chat.completions.create({ model: MODEL, messages, tools });
      assert.ok(guarded(second.choices[0].message.content).includes(CLINIC));
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
      const messages = [{ role: "user", content: UNSAFE_QUESTION }];
      const reply = await client.chat.completions.create({ model: MODEL, messages });
      withheld(reply.choices[0].message.content);
      assert.equal(reply.choices[0].finish_reason, "content_filter");
      return "`finish_reason` is `content_filter`, as Azure's own filter says it";
    },

    async embeddings() {
      const reply = await client.embeddings.create({ model: "default", input: "sore throat" });
      assert.equal(reply.data[0].embedding.length, 384);
    },

    async errors() {
      const wrong = new AzureOpenAI({ ...terms, apiKey: "wrong" });
      await assert.rejects(
        wrong.chat.completions.create({ model: MODEL, messages: asked }),
        OpenAI.AuthenticationError,
      );
    },
  },
  "the key goes in `api-key`, the deployment in the path",
);
