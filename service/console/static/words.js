// The interface's names in plain words. A name that is not here is shown as it is.

const OUTCOMES = {
  released: ["good", "✓", "Released", "It passed every check that has weight enough to hold it back."],
  released_flagged: ["warn", "!", "Released with a flag", "It did not pass every check that matters. Read it with care."],
  safe_message: ["warn", "!", "Safe message", "The drafted answer did not pass, so a safe message stands in its place."],
  chore: ["warn", "!", "Chore", "A short text for the app, such as a title. No check was made of it."],
  withheld: ["bad", "✗", "Withheld", "The drafted answer did not pass, and this app's policy is to hold it back."],
};

const REASONS = {
  criteria_unmet: "A check that matters was not met.",
  judge_failed: "The checks could not be read, and an unread check never passes.",
  engine_failed: "The model's server failed.",
  deadline: "Time ran out.",
  nothing_retrieved: "No principles could be found to hold it to.",
  empty_draft: "The model wrote nothing.",
  red_flag_contradicted: "It spoke against the advice for a warning sign.",
  instructions_disclosed: "It recited the instructions that stand above the conversation, or fell into the form of an instruction.",
  does_not_fit: "The request does not fit the model: it is too long, or asks for a form that it cannot give.",
  schema_unmet: "It is not the JSON that was asked for.",
  internal: "Something went wrong inside the gateway.",
};

const REVISIONS = {
  better: "taken: it met more, and lost nothing that matters",
  not_better: "left: it was no better",
  lost_a_weighty_criterion: "left: it lost a check that matters",
  lost_a_criterion: "left: it met more, but lost a check",
  discloses: "left: it recited its instructions",
  unreadable: "left: it could not be read",
  unchanged: "left: it changed nothing",
  engine_failed: "left: the model's server failed",
};

const NOTICES = {
  conversation_truncated: "The conversation was too long for the model: its oldest turns were left out.",
  control_tokens_neutralised: "Control tokens in the text were made harmless.",
  language_not_read: "The principles are searched in English: for this language only those that always apply were used.",
  outside_health: "The question seems to have nothing to do with health.",
  revisions_reduced: "The gateway is busy: fewer revisions were allowed.",
  judge_uncalibrated: "The judge is not calibrated: its findings are a guide, not a measurement.",
  demonstration_model: "Written by a demonstration model. Not for care.",
};

const FINDINGS = { met: ["good", "✓", "Met"], unmet: ["bad", "✗", "Not met"], unknown: ["warn", "?", "Unknown"] };

export const STAGES = [
  ["admitted", "Read"],
  ["retrieve", "Principles"],
  ["draft", "Draft"],
  ["judge", "Check"],
  ["revise", "Mend"],
  ["done", "Done"],
];

export const RUNNING = {
  admitted: "Looking for warning signs.",
  retrieve: "Finding the principles that matter here.",
  draft: "Drafting an answer.",
  judge: "Checking it, criterion by criterion.",
  revise: "Mending what fell short.",
};

const plain = (name) => String(name ?? "").replaceAll("_", " ");
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const spelled = (name) => capital(plain(name));
export const outcome = (name) => OUTCOMES[name] ?? ["warn", "!", spelled(name), ""];
export const reason = (name) => (name ? (REASONS[name] ?? spelled(name)) : "");
export const revisionReason = (name) => REVISIONS[name] ?? plain(name);
export const notice = (name) => NOTICES[name] ?? spelled(name);
export const finding = (name) => FINDINGS[name] ?? ["warn", "?", spelled(name)];
export const polarity = (name) => ({ must: "Must", must_not: "Must not" })[name] ?? spelled(name);
export const percent = (share) => `${Math.round(share * 100)} %`;
export const seconds = (ms) => (ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
