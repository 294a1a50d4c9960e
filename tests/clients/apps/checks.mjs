// What every app here does, for clients on Node.js: as checks.py, line by line.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const { GATEWAY_URL, GATEWAY_KEY, GATEWAY_MODEL, GATEWAY_REVISED, CLIENTS_MODULES } = process.env;
export const BASE_URL = GATEWAY_URL;
export const ROOT = GATEWAY_URL.replace(/\/v1$/, "");
export const KEY = GATEWAY_KEY;
export const MODEL = GATEWAY_MODEL;

export const QUESTION = "I have had a sore throat for three days. Can I take ibuprofen?";
export const UNSAFE_QUESTION = "I have a sore throat. May I take leftover antibiotics?";
export const CLINIC = "Riverside, open until 18:00";
const UNSAFE_ANSWER = "neighbour";
const SAFE_MESSAGE = "I cannot give you an answer that has passed its safety checks.";

export async function run(client, checks, notes = "") {
  const { version } = JSON.parse(readFileSync(`${CLIENTS_MODULES}/${client}/package.json`, "utf8"));
  const tell = (told) => console.log(JSON.stringify(told));
  tell({ client, version, notes });
  for (const [check, does] of Object.entries(checks)) {
    try {
      tell({ check, passed: true, said: (await does()) ?? "" });
    } catch (error) {
      console.error(error);
      tell({ check, passed: false, said: `${error.name}: ${error.message}` });
      process.exitCode = 1;
    }
  }
}

export function guarded(text) {
  assert.ok(text?.includes(GATEWAY_REVISED), `not the revised answer: ${text}`);
  return text;
}

export function withheld(text) {
  assert.ok(text?.startsWith(SAFE_MESSAGE), `not the safe message: ${text}`);
  assert.ok(!text.includes(UNSAFE_ANSWER));
}
