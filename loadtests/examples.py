"""Questions through POST /chat, as a page a reader can judge: answer, red flags, verdicts and what revision changed."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

_QUOTED = re.compile(r'"[^"]*"|\u201c[^\u201d]*\u201d')
# As many words in a row of a hidden question would be a copy of it.
_COPY = 6

_HEAD = """# Examples

Questions through `POST /chat` of the gateway as `make run` starts it, with the embedded demonstration checkpoint (some
million parameters, trained on synthetic dialogues; **not for care**). Read them for what the guard does, not for
advice. Written beside `make run` by `{command}`; nothing here was edited by hand.

Questions of other people's sets are not copied: they are named by source and row, told in words of ours, and quotations
of them are left out (`loadtests/drawn.jsonl` names the rows; the option `--data` or `--hidden` brings their texts).
"""


def read(questions: Path) -> list[dict[str, str]]:
    """The rows of a JSONL file: `id`, `source`, `question` and perhaps `audience`."""
    return [json.loads(line) for line in questions.read_text().splitlines() if line.strip()]


async def page(rows: Sequence[tuple[Mapping[str, str], bool]], *, url: str, command: str) -> str:
    """The page, which names the command that wrote it.

    A row that is marked hidden is named by its source and id, and told by `about`, in words of ours.
    """
    async with aiohttp.ClientSession() as client:
        parts = [await _example(client, url, row, number, hide=hide) for number, (row, hide) in enumerate(rows, 1)]
    return "\n".join([_HEAD.format(command=command), *parts])


async def _example(client: aiohttp.ClientSession, url: str, row: Mapping[str, str], number: int, *, hide: bool) -> str:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": row["question"]}]}
    if "audience" in row:
        body["audience"] = row["audience"]
    async with client.post(f"{url}/chat", json=body) as reply:
        reply.raise_for_status()
        shown = _shown(row, await reply.json(), number, hide=hide)
        return hidden(shown, row["question"]) if hide else shown


def hidden(shown: str, question: str) -> str:
    """What was shown, without the quotations in it.

    Raises:
        ValueError: six words in a row of the question stand in it all the same; the message has none of them.

    """
    text = _QUOTED.sub('"[the question]"', shown)
    said, words = " ".join(text.split()).lower(), question.lower().split()
    runs = (" ".join(words[at : at + _COPY]) for at in range(max(1, len(words) - _COPY + 1)))
    if any(run in said for run in runs):
        raise ValueError("an answer copies words of a hidden question outside quotation marks: leave that one out")
    return text


def _shown(row: Mapping[str, str], reply: Mapping[str, Any], number: int, *, hide: bool) -> str:
    named = f"{row['source']}, {row['id']}"
    asked = f"*{named}*: {row.get('about', 'not told')}" if hide else f"*{named}*\n\n{_quoted(row['question'])}"
    outcome = reply["outcome"] + (f": {reply['outcome_reason']}" if reply["outcome_reason"] else "")
    flags = ", ".join(flag["family"] for flag in reply["red_flags"]) or "none"
    lines = [
        f"## {number}. {outcome}",
        "",
        asked,
        "",
        f"Red flags: {flags}. Scenario: {', '.join(f'{k} {v}' for k, v in reply['scenario'].items())}.",
        "",
        "**Answer**",
        "",
        _quoted(reply["answer"] or "(nothing)"),
        "",
        "| criterion | weight | polarity | verdict | P(present) |",
        "|---|---|---|---|---|",
        *(_verdict(v) for v in reply["verdicts"]),
        "",
        *(_revision(r) for r in reply["revisions"]),
        "",
    ]
    return "\n".join(lines)


def _verdict(verdict: Mapping[str, Any]) -> str:
    probability = "" if verdict["probability"] is None else f"{verdict['probability']:.2f}"
    cells = (*(verdict[name] for name in ("criterion", "weight", "polarity", "verdict")), probability)
    return f"| {' | '.join(map(str, cells))} |"


def _revision(revision: Mapping[str, Any]) -> str:
    ended = "accepted" if revision["accepted"] else f"left ({revision['reason']})"
    after = "none" if revision["score_after"] is None else f"{revision['score_after']:.2f}"
    scores = f"score {revision['score_before']:.2f} to {after}"
    head = f"Revision {revision['round']} by {revision['style']}: {ended}; {scores}."
    changed = "".join(_marked(piece["op"], piece["text"]) for piece in revision.get("diff") or ())
    return f"{head}\n\n{_quoted(changed)}\n" if changed else f"{head}\n"


def _marked(op: str, text: str) -> str:
    match op:
        case "insert":
            return f"**{text.strip()}** "
        case "delete":
            return f"~~{text.strip()}~~ "
        case _:
            return text


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())
