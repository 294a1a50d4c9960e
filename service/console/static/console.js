// The page: asks, follows the stages, and shows the answer with its proof.

import { Refused, ask, servedModel } from "./ask.js";
import { byId, el, fill, hidden, icon } from "./dom.js";
import { show } from "./show.js";
import { RUNNING, STAGES } from "./words.js";

const form = byId("ask");
const question = byId("question");
const key = () => byId("key").value.trim();
const begun = new Set();
let running = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
byId("stop").addEventListener("click", () => running?.abort());
byId("copy").addEventListener("click", copyProof);
byId("key").addEventListener("change", aboutModel);
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    question.value = example.textContent;
    question.focus();
  });
}
aboutModel();

async function send() {
  if (running) return;
  const text = question.value.trim();
  if (!text) {
    question.focus();
    return problem("Please write a question first.");
  }
  start();
  try {
    const audience = new FormData(form).get("audience");
    show(await ask(text, { audience, key: key(), signal: running.signal, onStage: stage }));
    finished();
  } catch (error) {
    failed(error);
  } finally {
    running = null;
    busy(false);
  }
}

function start() {
  running = new AbortController();
  byId("problem").hidden = true;
  byId("result").hidden = true;
  byId("progress").hidden = false;
  busy(true);
  begun.clear();
  stage("admitted");
}

function busy(yes) {
  byId("send").disabled = yes;
  byId("stop").hidden = !yes;
  form.setAttribute("aria-busy", String(yes));
}

/** Marks a stage as the one that runs. What came before is done, or was not needed where it never began. */
function stage(name) {
  const at = STAGES.findIndex(([each]) => each === name);
  if (at < 0) return;
  begun.add(name);
  fill(byId("steps"), STAGES.map(([each, label], index) => step(label, state(each, index - at, name === "done"))));
  if (RUNNING[name]) byId("status").textContent = RUNNING[name];
}

function state(name, place, over) {
  if (place > 0) return "ahead";
  if (place === 0 && !over) return "now";
  return begun.has(name) ? "past" : "passed-over";
}

const MARKS = { past: ["✓", "done"], "passed-over": ["–", "not needed"], now: ["•", "running"], ahead: ["•", "to come"] };

function step(label, how) {
  const [mark, said] = MARKS[how];
  return el("li", { class: how, "aria-current": how === "now" ? "step" : null }, icon(mark), label, hidden(`: ${said}`));
}

function finished() {
  stage("done");
  byId("status").textContent = "The answer is ready.";
  byId("result").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: "start", behavior: "auto" });
}

function failed(error) {
  byId("progress").hidden = true;
  if (error.name === "AbortError") return problem("Stopped. Nothing was released.");
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) {
    byId("key-box").open = true;
    byId("key").focus();
  }
  const later = error.retryAfter ? `Try again in ${error.retryAfter} s.` : null;
  problem(error.message, later, error.requestId ? `Request ${error.requestId}` : null);
}

function problem(message, ...more) {
  fill(byId("problem"), el("p", {}, el("strong", {}, message)), more.filter(Boolean).map((line) => el("p", { class: "quiet" }, line)));
  byId("problem").hidden = false;
}

/** Says which model is served, and that it is a demonstration where it says so of itself. */
async function aboutModel() {
  const model = await servedModel(key()).catch(() => null);
  byId("model").hidden = !model;
  byId("model").textContent = model ? `Model: ${model.id}` : "";
  byId("demonstration").hidden = model?.clinalign?.demonstration !== true;
}

async function copyProof() {
  const lines = [...byId("proof").children].map((line) => `${line.firstChild.textContent}: ${line.lastChild.textContent}`);
  try {
    await navigator.clipboard.writeText(lines.join("\n"));
    byId("copy").textContent = "Copied";
  } catch {
    // Browsers lend the clipboard to secure pages alone: mark the text, so that a key press copies it.
    getSelection().selectAllChildren(byId("proof"));
    byId("copy").textContent = "Marked: press Ctrl + C";
  }
  setTimeout(() => (byId("copy").textContent = "Copy"), 3000);
}
