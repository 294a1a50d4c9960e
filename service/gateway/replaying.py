"""The steps of a replay: for each, what the record says, what comes of it now, and whether that is the same."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from typing_extensions import TypedDict

from service.domain.answer import Answer, Reason
from service.domain.assessment import Assessment
from service.domain.enquiry import Enquiry
from service.gateway.account import assessed, entry, seal_of
from service.gateway.recomputed import Entry, is_chore, recompute
from service.pipeline.scenario import CAREFUL

# What must be as it was for the model's steps to be worth repeating.
PINNED = (
    "principles_digest",
    "prompts_digest",
    "model",
    "checkpoint_digest",
    "judge",
    "judge_digest",
    "accept_judge",
    "accept_judge_digest",
)
# What answers may bear: the steps of the code tell what a new version of it changed.
SERVICE = "service_version"
_SCREENED = ("red_flags", "evidence", "duty_hmac", "language")
_BY_JUDGE = ("verdicts", "guidance")
_NOT_REPEATED = "not repeated: versions are others now or not on record, or a check's answer was not given"
_CLOSE = 1e-3  # probabilities nearer than this are the same: what a server computes side by side moves the last digits


class Step(TypedDict):
    """One step. `kind`: the record itself, code, or a model. `same` is null where it could not be repeated."""

    step: str
    kind: str
    same: bool | None
    recorded: Any
    now: Any
    note: str | None


def steps_of(
    recorded: Entry,
    enquiry: Enquiry,
    *,
    now: Assessment | None,
    again: Answer | None,
    pinned: Mapping[str, Any],
    broken: str | None,
    key: bytes,
) -> list[Step]:
    """Every step of one answer, in order. `now` is None where nothing can be retrieved, `again` where the model's
    steps were not repeated. A request that ended early is followed as far as its record goes.
    """  # noqa: D205 - one sentence too long for one line
    return [
        _ledger(recorded, broken=broken, key=key),
        _versions(recorded, pinned),
        *_assessment(recorded, now, key=key),
        *_arithmetic(recorded, enquiry),
        *_model(recorded, again, key=key),
    ]


def is_repeatable(recorded: Entry, pinned: Mapping[str, Any]) -> bool:
    """Whether the model's steps are worth repeating: what they were made with is on record, and the same now."""
    needed = {"model"} if is_chore(recorded) else {"model", "principles_digest"}
    return all(_on_record(recorded, name) for name in needed) and not _others(recorded, pinned)


def _on_record(recorded: Entry, name: str) -> bool:
    """What ended before something was read has no version of it, and neither have entries of before it was kept."""
    return bool(recorded["provenance"].get(name))


def _others(recorded: Entry, pinned: Mapping[str, Any]) -> list[str]:
    then = recorded["provenance"]
    return [name for name in PINNED if _on_record(recorded, name) and pinned[name] != then[name]]


def _step(step: str, kind: str, recorded: object, now: object, *, note: str | None = None) -> Step:
    return {"step": step, "kind": kind, "same": recorded == now, "recorded": recorded, "now": now, "note": note}


def _unrepeated(step: str, kind: str, note: str, recorded: object = None) -> Step:
    return {"step": step, "kind": kind, "same": None, "recorded": recorded, "now": None, "note": note}


def _ledger(recorded: Entry, *, broken: str | None, key: bytes) -> Step:
    """The chain from end to end, and the seal of this entry, which nobody can make without the key."""
    seal = seal_of(recorded, key=key)
    step = _step("ledger", "record", recorded.get("entry_hmac"), seal)
    if broken is not None:
        return {**step, "same": False, "note": f"the chain is broken at {broken}"}
    return step if step["same"] else {**step, "note": "this entry was written or changed without the audit key"}


def _versions(recorded: Entry, pinned: Mapping[str, Any]) -> Step:
    """Those that were recorded are compared. The service's own is told where it is another, and makes no difference."""
    then, other = {name: recorded["provenance"].get(name) for name in pinned}, _others(recorded, pinned)
    notes = [*other, *([f"{SERVICE} {then[SERVICE]} then"] if then[SERVICE] != pinned[SERVICE] else [])]
    step = _step("versions", "record", then, dict(pinned), note=", ".join(notes) or None)
    return {**step, "same": not other}


def _assessment(recorded: Entry, now: Assessment | None, *, key: bytes) -> Iterator[Step]:
    if now is None:
        for name in ("screen", "scenario", "rubric"):
            yield _unrepeated(name, "code", "nothing can be retrieved now")
        nothing_then = recorded["trouble"] == Reason.NOTHING_RETRIEVED
        yield {**_unrepeated("retrieve", "code", "nothing can be retrieved now"), "same": nothing_then}
        return
    found, early = assessed(now, key=key), _ended_early(recorded)
    note = f"the work ended before that then: {early}" if early else None
    yield _step("screen", "code", {n: recorded[n] for n in _SCREENED}, {n: found[n] for n in _SCREENED})
    for name, field in (("scenario", "scenario"), ("retrieve", "principles"), ("rubric", "rubric")):
        step = _step(name, "code", recorded[field], found[field], note=note)
        yield step if early in {None, Reason.NOTHING_RETRIEVED} else {**step, "same": None}


def _ended_early(recorded: Entry) -> str | None:
    """What ended the work before anything was retrieved; a chore retrieves nothing and ends nowhere early."""
    return None if recorded["rubric"] or is_chore(recorded) else recorded["trouble"]


def _arithmetic(recorded: Entry, enquiry: Enquiry) -> Iterator[Step]:
    """From the recorded verdicts, line and policy alone, whatever a model or the store says today."""
    try:
        computed = recompute(recorded, Assessment(enquiry, (), CAREFUL, (), ()))
    except (KeyError, ValueError, TypeError) as error:
        note = f"the record cannot be followed ({type(error).__name__})"
        yield {**_unrepeated("release", "code", note), "same": False}
        return
    fields = ("round", "targets", "reason", "accepted", "score_before", "score_after")
    then = [{name: revision[name] for name in fields} for revision in recorded["revisions"]]
    judged = [
        {
            "round": one["round"],
            "score": one["score"],
            "found": [[v["criterion_id"], v["verdict"]] for part in _BY_JUDGE for v in one[part]],
        }
        for one in recorded["candidates"]
    ]
    yield _step("findings", "code", _only(judged, ("found",)), _only(computed.candidates, ("found",)))
    yield _step("candidate scores", "code", _only(judged, ("score",)), _only(computed.candidates, ("score",)))
    for name, of in (("round scores", fields[4:]), ("targets", fields[1:2]), ("acceptance", fields[2:4])):
        yield _step(name, "code", _only(then, of), _only(computed.rounds, of))
    yield _step(
        "release",
        "code",
        {name: recorded[name] for name in ("outcome", "outcome_reason", "round")},
        {"outcome": computed.outcome, "outcome_reason": computed.outcome_reason, "round": computed.round},
    )


def _only(rounds: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> list[dict[str, Any]]:
    return [{name: one[name] for name in ("round", *fields)} for one in rounds]


def _model(recorded: Entry, again: Answer | None, *, key: bytes) -> Iterator[Step]:
    """The texts by their HMACs; verdicts only of a text that is the same, for of another they say nothing."""
    if again is None:
        yield _unrepeated("model", "model", _NOT_REPEATED)
        return
    fresh = cast("Entry", entry(again, key=key))
    seedless = recorded["sampling"]["seed"] is None
    note = "drawn without a seed, so another draft may be mere chance" if seedless else None
    now = {one["round"]: one for one in fresh["candidates"]}
    for one in recorded["candidates"]:
        step = f"round {one['round']}" if one["round"] else "draft"
        other = now.get(one["round"])
        yield _step(step, "model", one["text_hmac"], other["text_hmac"] if other else None, note=note)
        if other is None or other["text_hmac"] != one["text_hmac"]:
            yield _unrepeated(f"{step} judged", "model", "its text is another, so it was not compared")
        else:
            yield _judging(f"{step} judged", one, other)
    yield _step("answer", "model", recorded["answer_hmac"], fresh["answer_hmac"], note=note)


def _judging(step: str, then: Entry, now: Entry) -> Step:
    pairs = [pair for part in _BY_JUDGE for pair in zip(then[part], now[part], strict=False)]
    chances = [(a["probability"], b["probability"]) for a, b in pairs]
    apart = [abs(a - b) for a, b in chances if a is not None and b is not None]
    same = _found(then) == _found(now) and max(apart, default=0.0) <= _CLOSE
    note = f"probabilities differ by {max(apart, default=0.0):.2g} at most"
    return {
        "step": step,
        "kind": "model",
        "same": same,
        "recorded": _found(then),
        "now": _found(now),
        "note": note,
    }


def _found(judged: Entry) -> dict[str, dict[str, str]]:
    return {part: {v["criterion_id"]: v["verdict"] for v in judged[part]} for part in _BY_JUDGE}
