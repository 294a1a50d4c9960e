// The reply of POST /chat as what a person reads.

import { byId, el, fill, hidden, icon } from "./dom.js";
import * as words from "./words.js";

/** Shows all of a reply. */
export function show(reply) {
  flags(reply.red_flags);
  answer(reply);
  verdicts(reply.verdicts);
  changes(reply);
  principles(reply.principles);
  cost(reply.timings_ms, reply.usage);
  proof(reply);
  byId("result").hidden = false;
}

function flags(list) {
  byId("flags").hidden = list.length === 0;
  fill(
    byId("flags-body"),
    list.map((flag) => el("div", { class: "flag" }, el("h3", {}, words.spelled(flag.family)), el("p", { dir: "auto" }, flag.advice))),
  );
}

function answer(reply) {
  const [tone, mark, name, why] = words.outcome(reply.outcome);
  const because = [why, words.reason(reply.outcome_reason)].filter(Boolean).join(" ");
  fill(byId("outcome"), el("strong", { class: `badge ${tone}` }, icon(mark), name), el("span", {}, because));
  fill(byId("answer"), reply.answer || el("em", {}, "Nothing was released."));
  const { draft, released } = reply.score;
  fill(
    byId("facts"),
    fact("Score, draft → released", scores(draft, released)),
    Object.entries(reply.scenario).map(([dimension, level]) => fact(words.spelled(dimension), words.spelled(level))),
  );
  fill(byId("notices"), reply.provenance.notices.map((name) => el("li", {}, words.notice(name))));
}

const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));

function scores(draft, released) {
  if (draft === null && released === null) return "Not judged";
  const start = draft === null ? "no draft" : words.percent(draft);
  const end = released === null ? "not released" : words.percent(released);
  return [hidden("draft "), start, icon("→"), hidden(", released "), end];
}

function verdicts(list) {
  const met = list.filter((verdict) => verdict.verdict === "met").length;
  byId("verdicts-summary").textContent = list.length
    ? `${met} of ${list.length} are met, which means complied with. The judge reads how likely it is that the answer does each thing.`
    : "Nothing was checked.";
  fill(byId("verdicts"), list.length ? table(list) : []);
}

const COLUMNS = ["Finding", "Check", "Weight", "Likely done", "Round"];

/** Roles are written out: where a narrow page shows rows as cards, browsers forget that this is a table. */
function table(list) {
  const sorted = [...list].sort((one, other) => other.weight - one.weight);
  return el(
    "table",
    { role: "table" },
    el("caption", { class: "sr-only" }, "Each check with what was found, heaviest first"),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, COLUMNS.map((name) => el("th", { scope: "col", role: "columnheader" }, name)))),
    el("tbody", { role: "rowgroup" }, sorted.map(row)),
  );
}

function row(verdict) {
  const [tone, mark, name] = words.finding(verdict.verdict);
  const check = [
    el("span", { class: `polarity ${verdict.polarity}` }, words.polarity(verdict.polarity)),
    el("span", { title: verdict.criterion_id }, verdict.criterion),
  ];
  const cells = [
    el("span", { class: `badge ${tone}` }, icon(mark), name),
    el("div", { class: "check" }, check),
    String(verdict.weight),
    likelihood(verdict.probability),
    verdict.round === 0 ? "Draft" : String(verdict.round),
  ];
  return el("tr", { role: "row" }, cells.map((cell, at) => el("td", { role: "cell", "data-label": COLUMNS[at] }, cell)));
}

function likelihood(probability) {
  if (probability === null) return [el("span", { "aria-hidden": "true" }, "–"), hidden("not measured")];
  return el("span", { class: "likelihood" }, bar(probability), words.percent(probability));
}

/** A bar of a share in [0, 1], beside the number that says the same. */
function bar(share, tone = "") {
  const inner = el("span", { class: `bar-fill ${tone}` });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, inner);
}

function changes(reply) {
  const named = new Map(reply.verdicts.map((verdict) => [verdict.criterion_id, verdict]));
  byId("changes").classList.toggle("slight", reply.revisions.length === 0);
  fill(
    byId("changes-body"),
    reply.revisions.length
      ? reply.revisions.map((revision) => change(revision, named))
      : el("p", { class: "quiet" }, "Nothing. The draft was not revised."),
  );
}

function change(revision, named) {
  const targets = revision.targets.map((id) => el("li", {}, named.has(id) ? sentence(named.get(id)) : id));
  return el(
    "article",
    { class: "revision" },
    el("h3", {}, `Round ${revision.round}, by ${revision.style}`),
    el("p", {}, words.capital(words.revisionReason(revision.reason)), ". Score ", movement(revision), "."),
    el("p", { class: "quiet" }, "It was asked to mend:"),
    el("ul", {}, targets),
    difference(revision.diff),
  );
}

const sentence = (verdict) => `${words.polarity(verdict.polarity)}: ${verdict.criterion}`;

function movement({ score_before: before, score_after: after }) {
  return `${words.percent(before)} → ${after === null ? "not judged" : words.percent(after)}`;
}

const TAGS = { keep: "span", insert: "ins", delete: "del" };
const SPOKEN = { insert: "added: ", delete: "removed: " };

function difference(pieces) {
  if (!pieces?.length) return null;
  const marked = pieces.map(({ op, text }) => el(TAGS[op] ?? "span", {}, SPOKEN[op] ? hidden(SPOKEN[op]) : null, text));
  const legend = el("p", { class: "legend quiet", "aria-hidden": "true" }, el("ins", {}, "added"), " ", el("del", {}, "removed"));
  return [legend, el("div", { class: "diff answer", dir: "auto" }, marked)];
}

function principles(list) {
  const items = list.map((principle) =>
    el(
      "li",
      {},
      el("span", { class: "principle", title: `${principle.id}, version ${principle.version}` }, principle.title),
      el("span", { class: "quiet" }, `${words.spelled(principle.dimension)}. Similarity ${principle.similarity.toFixed(2)}`),
      bar(principle.similarity),
    ),
  );
  fill(byId("principles"), list.length ? el("ol", { class: "principles" }, items) : el("p", { class: "quiet" }, "None were found."));
}

function cost(timings, usage) {
  const { total, ...stages } = timings;
  const rows = Object.entries(stages).map(([stage, ms]) =>
    el("li", {}, el("span", {}, words.spelled(stage)), bar(total ? ms / total : 0), el("span", { class: "number" }, words.seconds(ms)), el("span", { class: "quiet tokens" }, tokens(usage.by_stage[stage]))),
  );
  const sum = `${words.seconds(total)} in all. ${tokens(usage)}.`;
  fill(byId("cost"), el("ul", { class: "cost" }, rows), el("p", { class: "quiet" }, sum));
}

function tokens(used) {
  if (!used) return "no model call";
  const cached = used.cached_tokens ? ` (${used.cached_tokens} cached)` : "";
  return `${used.prompt_tokens}${cached} tokens in, ${used.completion_tokens} out`;
}

function proof(reply) {
  const { notices, ...rest } = reply.provenance;
  const lines = Object.entries({ id: reply.id, ...rest }).filter(([, value]) => value !== null && value !== "");
  fill(byId("proof"), lines.map(([name, value]) => fact(words.spelled(name), el("code", {}, String(value)))));
  byId("raw").textContent = JSON.stringify(reply, null, 2);
}
