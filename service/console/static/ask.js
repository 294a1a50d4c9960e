// One question to POST /chat: as a stream of events, or as one reply where a stream does not come through.

/** What the gateway refused, in its own words; `status` is HTTP's, 0 when there was no reply at all. */
export class Refused extends Error {
  constructor(message, { status = 0, requestId = null, retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { status, requestId, retryAfter });
  }
}

/** The model's entry of GET /v1/models, or null where it cannot be read. */
export async function servedModel(key) {
  const reply = await fetch("v1/models", { headers: headers(key) });
  return reply.ok ? ((await reply.json()).data?.[0] ?? null) : null;
}

/**
 * The whole answer. `onStage(name)` is called as stages begin.
 * Throws Refused, or an AbortError when `signal` says stop.
 */
export async function ask(question, { audience, key, signal, onStage }) {
  const body = { messages: [{ role: "user", content: question }], stream: true };
  if (audience) body.audience = audience;
  const streamed = await follow(await post(body, { key, signal }), onStage);
  if (streamed) return streamed;
  // A proxy that cuts or swallows streams leaves nothing to show: ask once more, for one plain reply.
  return (await post({ ...body, stream: false }, { key, signal })).json();
}

async function post(body, { key, signal }) {
  let reply;
  try {
    reply = await fetch("chat", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream, application/json", ...headers(key) },
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The gateway cannot be reached. Is it running?");
  }
  if (!reply.ok) throw await refusal(reply);
  return reply;
}

async function refusal(reply) {
  const body = await reply.json().catch(() => null);
  return new Refused(body?.error?.message ?? `The gateway answered ${reply.status}.`, {
    status: reply.status,
    requestId: reply.headers.get("x-request-id"),
    retryAfter: reply.headers.get("retry-after"),
  });
}

/** The answer of a stream; null when it ended without one. */
async function follow(reply, onStage) {
  if (!reply.headers.get("content-type")?.startsWith("text/event-stream")) return reply.json();
  try {
    for await (const { name, data } of events(reply.body)) {
      if (name === "stage") onStage(data.stage);
      else if (name === "answer") return data;
      else if (name === "error") throw new Refused(data.error.message, { requestId: reply.headers.get("x-request-id") });
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Refused) throw error;
  }
  return null;
}

/** Server-sent events, from bytes as they arrive. Comments and `[DONE]` are passed over. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (waiting + value).replaceAll("\r\n", "\n").split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

function parsed(block) {
  const fields = block.split("\n").map((line) => line.match(/^(event|data):\s?(.*)$/)).filter(Boolean);
  const text = fields.filter(([, field]) => field === "data").map(([, , value]) => value).join("\n");
  if (!text || text === "[DONE]") return null;
  return { name: fields.find(([, field]) => field === "event")?.[2] ?? "message", data: JSON.parse(text) };
}

const headers = (key) => (key ? { authorization: `Bearer ${key}` } : {});
