"""What was found, as sections of docs/robustness.md: each with its command, its tables, and what it can't show."""

from collections.abc import Mapping, Sequence
from typing import Any

from loadtests.robustness.cancel import AT_ONCE, LOOKS_S, PACE, Ended, Watched, tally
from loadtests.robustness.chaos import DEADLINE_MS, Row, faults_of
from loadtests.robustness.flood import PLACES, End, Flood

# The sections of the page, by the name of their file.
ORDER = ("parity", "cancel", "cancel-vllm", "chaos", "flood", "fuzz", "schema")
HEAD = """# Robustness

What holds whatever clients, upstreams and signals do. Written by `make robustness`; each section names the command that
wrote it. Smaller versions of all of them are part of `make test` or `make test-schema`.
"""


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
    head = f"""## Streamed and unstreamed, the same answer

`clinalign load parity --conversations {found["conversations"]}`: conversations of our own
(`loadtests/robustness/conversations.py`) through a gateway as a process, in front of a model whose every reply is a
function of the request (`loadtests/robustness/sayings.py`). Each is asked twice on each route that can say it, plain
and as a stream. Compared: status, text, tool calls, finish reason, usage with its breakdown by stage, and the whole
proof (outcome, reason, red flags, scenario, principles, verdicts, revisions, scores, provenance); left out are the id,
the second of creation and the timings. A stream's form is checked as well: deltas add up to the answer, the role comes
once and first, events are numbered, the usage comes last.

**{found["same"]} of {found["pairs"]} pairs are the same.** {found["revised"]} of the answers had an accepted revision.
{found["routes_agree"]} of {found["conversations"]} conversations have the same proof on all their routes.
"""
    lines = [head, *table(routes), "", *table(kinds), ""]
    lines += [f"- {one}" for one in (*found["differences"], *found["between_routes"])]
    return "\n".join([*lines, *([""] if found["differences"] or found["between_routes"] else [])])


def cancel(left: Sequence[Ended], late: Sequence[Ended], *, stall_s: float) -> str:
    """The section on clients that leave and deadlines that pass."""
    head = f"""## Cancelled at random moments

`clinalign load cancel --requests {len(left)}`: requests to every answering route of a gateway as a process, half of
them streams, {AT_ONCE} at a time. The upstream is the deterministic model at {PACE.first_s * 1000:.0f} ms to the first
token and {PACE.token_s * 1000:.0f} ms a token; it writes down each call and how it ended. A request counts for the
stage whose upstream calls its end aborted; *between calls* are those that met the gateway's own work (reading,
screening, retrieval, counting). *Calls left* are upstream calls of a request that still ran a second after its client
had left, or its deadline had passed. *End* is the time from there to the end of its last call.

Clients that leave:
"""
    middle = "Deadlines that pass (each reply a 200 by the tenant's policy, with reason `deadline`):"
    stalled = (
        f"The measuring process itself was held up by {stall_s:.2f} s at most while others had the processor: nothing "
        "can be seen to end sooner than that."
    )
    return "\n".join([head, *table(tally(left)), "", middle, "", *table(tally(late)), "", stalled, ""])


def cancel_vllm(found: Watched) -> str:
    """The same against vLLM, with tolerance."""
    rows = [{"after": f"{after:g} s", "running + waiting": f"{found.after[after]:g}"} for after in (0.0, *LOOKS_S)]
    head = f"""## Cancelled against vLLM itself

`clinalign load cancel --upstream URL --requests {found.requests} --within-s {found.within_s:g}`, URL being that of
`make vllm` (vLLM's CPU build with the demonstration checkpoint). What vLLM runs is read from its `/metrics`: it notices
a client that left at its next step, and its gauges lag behind, so the looks are after 1, 2 and 5 s.

{found.cancelled} of {found.requests} requests were left by their clients before the reply was whole; at most
{found.most:g} calls ran or waited in vLLM at once meanwhile.
"""
    return "\n".join([head, *table(rows), ""])


def flood(found: Flood, ends: Sequence[End]) -> str:
    """The section on too many requests, and on the end of a gateway."""
    most = " and ".join(f"{mb:.0f} MB" for mb in found.most_mb)
    statuses = ", ".join(f"{n} x {status}" for status, n in sorted(found.statuses.items()))
    head = f"""## A flood, and the end

`clinalign load flood --requests {found.requests}`: so many at once, half of them streams, each on its own connection,
and then the same again, at a gateway with `CLINALIGN_MAX_RUNNING={PLACES}` and a queue of {found.queued}, in front of
the deterministic model.

- Replies: {statuses}; {found.dropped} connections dropped; {found.without_retry_after} refusals without `Retry-After`.
- Of the 200s: {", ".join(f"{n} {outcome}" for outcome, n in sorted(found.outcomes.items()))}.
- Resident memory: {found.before_mb:.0f} MB before, at most {most} in the two floods; {found.seconds:.0f} s in all.

A signal to end while {PLACES} requests, half of them streams, are being worked on:
"""
    rows = [
        {
            "signals": one.signals,
            "who was inside got": "; ".join(f"{one.inside.count(said)} x {said}" for said in dict.fromkeys(one.inside)),
            "who came after the first got": one.newcomer,
            "s to the end": f"{one.seconds:.1f}",
        }
        for one in ends
    ]
    return "\n".join([head, *table(rows), ""])


def chaos(rows: Sequence[Row]) -> str:
    """The section on an upstream that misbehaves."""
    faults = [f"- {row.trouble.name}: {fault}" for row in rows for fault in faults_of(row)]
    head = f"""## An upstream that misbehaves

`clinalign load chaos`: one gateway as a process with its default settings (failure policy `safe_message`, two retries),
asked on `/v1/chat/completions` about crushing chest pain, plain and as a stream, while its upstream does what the row
says. The request's deadline is {DEADLINE_MS} ms, so that a row that waits for it is short, and 20 s where the
trouble is overcome; the default is 120 s. Every reply is a 200, since clients send a 5xx again; outcome, reason and
verdicts are under `clinalign`.

*duty*: the answer begins with what the person must do now. *calls*: upstream calls of the two requests, retries
included. *left*: those that still ran a second after the reply. *words*: the patient's words (a canary) in the log, the
metrics or the reply. *well*: seconds until the next answer was released once the trouble was over (the circuit breaker
lets a probe through after 5 s).
"""
    wire = "The streams in the order of their events, keep-alives left out, and the metric that counts both requests:"
    last = faults or ["No row breaks a promise: no failed check passed, every duty stands, and no words got out."]
    tables = [*table([_chaos_row(row) for row in rows]), "", wire, "", *table([_wire_row(row) for row in rows])]
    return "\n".join([head, *tables, "", *last, ""])


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
    return {"upstream": row.trouble.name, "stream": row.streamed.form, "clinalign_outcomes_total": counted}


def _pairs(row: Row) -> list[tuple[tuple[str, str], int]]:
    return [((name.split()[0], name.split()[1]), count) for name, count in row.counted.items()]


def _both(plain: object, streamed: object) -> str:
    return str(plain) if plain == streamed else f"{plain} / {streamed}"
