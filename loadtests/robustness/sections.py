"""What was found, as sections of docs/robustness.md: each with its command, its tables, and what it can't show."""

from collections.abc import Mapping, Sequence
from typing import Any

from loadtests.robustness.cancel import LOOKS_S, Ended, Watched, tally
from loadtests.robustness.chaos import DEADLINE_MS, Row, Seen, faults_of

_STALLS = (
    "The longest stall of the measuring process itself, in which nothing on the machine could be seen to end, was "
    "{stall_s:.2f} s."
)


def table(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Rows of one shape as a Markdown table."""
    names = list(rows[0])
    return [
        "| " + " | ".join(names) + " |",
        "|" + "---|" * len(names),
        *("| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows),
    ]


def parity(found: Mapping[str, Any]) -> str:
    """The section on streams and plain replies."""
    kinds = [
        {
            "kind": kind,
            "pairs": counted.pop("pairs"),
            "same": counted.pop("same"),
            "plain outcomes": ", ".join(f"{n} {outcome}" for outcome, n in sorted(counted.items())),
        }
        for kind, counted in sorted((kind, dict(counted)) for kind, counted in found["by_kind"].items())
    ]
    routes = [{"route": f"POST {path}", "pairs": of, "same": same} for path, (same, of) in found["by_route"].items()]
    lines = [
        "## Streamed and unstreamed, the same answer",
        "",
        f"`clinalign load parity --conversations {found['conversations']}`: conversations of our own "
        "(`loadtests/robustness/conversations.py`) through a gateway as a process, in front of a model whose every reply",
        "is a function of the request (`loadtests/robustness/sayings.py`). Each is asked twice on each route that can",
        "say it, plain and as a stream. Compared: status, text, tool calls, finish reason, usage with its breakdown by",
        "stage, and the whole proof (outcome, reason, red flags, scenario, principles, verdicts, revisions, scores,",
        "provenance); left out are the id, the second of creation and the timings. A stream's form is checked as well:",
        "deltas add up to the answer, the role comes once and first, events are numbered, the usage comes last.",
        "",
        f"**{found['same']} of {found['pairs']} pairs are the same**; {found['revised']} of the answers had an accepted "
        f"revision; {found['routes_agree']} of {found['conversations']} conversations have the same proof on all routes.",
        "",
        *table(routes),
        "",
        *table(kinds),
        "",
    ]
    lines += [f"- {one}" for one in (*found["differences"], *found["between_routes"])]
    return "\n".join([*lines, *([""] if found["differences"] or found["between_routes"] else [])])


def cancel(left: Sequence[Ended], late: Sequence[Ended], *, stall_s: float) -> str:
    """The section on clients that leave and deadlines that pass."""
    return "\n".join(
        [
            "## Cancelled at random moments",
            "",
            f"`clinalign load cancel --requests {len(left)}`: requests of every answering route through a gateway as a",
            "process, half of them streams. The upstream is the deterministic model at 250 ms to the first token and 4 ms",
            "a token; it writes down each call and how it ended. A request counts for the stage whose upstream calls its",
            "end aborted; *between calls* are those that met the gateway's own work (reading, screening, retrieval,",
            "counting). *Calls left* are upstream calls of a request that still ran a second after its client had left,",
            "or its deadline had passed.",
            "",
            "Clients that leave:",
            "",
            *table(tally(list(left))),
            "",
            "Deadlines that pass (the reply is a 200 by the tenant's policy, with reason `deadline`):",
            "",
            *table(tally(list(late))),
            "",
            _STALLS.format(stall_s=stall_s),
            "",
        ]
    )


def cancel_vllm(found: Watched) -> str:
    """The same against vLLM, with tolerance."""
    rows = [
        {"after": f"{after_s:g} s", "running + waiting": f"{found.after[after_s]:g}"} for after_s in (0.0, *LOOKS_S)
    ]
    return "\n".join(
        [
            "## Cancelled against vLLM itself",
            "",
            f"`clinalign load cancel --upstream URL --requests {found.requests}`, URL being that of `make vllm` (vLLM's CPU",
            "build with the demonstration checkpoint). What vLLM runs is read from its `/metrics`: it notices a client that",
            "left at its next step, and its gauges lag behind, so the looks are after 1, 2 and 5 s.",
            "",
            f"{found.cancelled} of {found.requests} requests were left by their clients; at most {found.most:g} calls ran",
            "or waited in vLLM at once.",
            "",
            *table(rows),
            "",
        ]
    )


def chaos(rows: Sequence[Row]) -> str:
    """The section on an upstream that misbehaves."""
    faults = [f"- {row.trouble.name}: {fault}" for row in rows for fault in faults_of(row)]
    return "\n".join(
        [
            "## An upstream that misbehaves",
            "",
            "`clinalign load chaos`: one gateway as a process with its default settings (failure policy `safe_message`, two",
            "retries), asked on `/v1/chat/completions` about crushing chest pain, plain and as a stream, while its upstream",
            f"does what the row says. The request's deadline is {DEADLINE_MS} ms, so that a row that waits for it is short;",
            "the default is 120 s. Every reply is a 200, since clients send a 5xx again; the outcome, the reason and the",
            "verdicts are under `clinalign`. *Duty*: the answer begins with what the person must do now. *Words*: the",
            "patient's words (a canary) in log, metrics or reply. *Calls*: upstream calls made by the two requests, retries",
            "included. *Left*: those that ran a second after the reply. *Well*: seconds until the next answer was released",
            "once the trouble was over (the circuit breaker lets a probe through after 5 s).",
            "",
            *table([_chaos_row(row) for row in rows]),
            "",
            "The streams, in order of their events (keep-alives left out), and the metric that counts both:",
            "",
            *table([_wire_row(row) for row in rows]),
            "",
            *(faults or ["No row breaks a promise: no failed check passed, and no words got out."]),
            "",
        ]
    )


def _chaos_row(row: Row) -> dict[str, object]:
    plain, streamed = row.plain, row.streamed
    return {
        "upstream": row.trouble.name,
        "status": _both(plain.status, streamed.status),
        "outcome": _both(plain.outcome, streamed.outcome),
        "reason": _both(plain.reason or "-", streamed.reason or "-"),
        "finish_reason": _both(plain.finish_reason, streamed.finish_reason),
        "duty": "held" if plain.duty_held and streamed.duty_held else "**lost**",
        "s plain / streamed": f"{plain.seconds:.2f} / {streamed.seconds:.2f}",
        "calls": row.calls,
        "left": row.running,
        "words": ", ".join(row.leaks) or "none",
        "well": f"{row.well_s:.1f}",
    }


def _wire_row(row: Row) -> dict[str, object]:
    counted = ", ".join(f'`outcome="{o}",reason="{r}"` +{n}' for (o, r), n in _pairs(row))
    return {"upstream": row.trouble.name, "stream": _form(row.streamed), "clinalign_outcomes_total": counted}


def _pairs(row: Row) -> list[tuple[tuple[str, str], int]]:
    return [((name.split()[0], name.split()[1]), count) for name, count in row.counted.items()]


def _form(seen: Seen) -> str:
    return seen.form


def _both(plain: object, streamed: object) -> str:
    return str(plain) if plain == streamed else f"{plain} / {streamed}"
