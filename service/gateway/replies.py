"""An answer as the JSON that POST /chat gives back."""

import time
from collections.abc import Mapping

from typing_extensions import TypedDict

from service.domain.answer import Answer, Judged, Outcome, Provenance, Revision
from service.domain.assessment import RedFlag, Retrieved, Scenario
from service.domain.completion import Usage
from service.domain.diff import diff
from service.domain.verdict import Verdict

STAGES = ("screen", "retrieve", "draft", "judge", "revise", "total")


class EvidenceReply(TypedDict):
    """Where a red flag stands: the message's index, and characters [start, end) of its text."""

    message: int
    start: int
    end: int


class RedFlagReply(TypedDict):
    """A sign of danger, what must be said, and what found it: `rules` or `head`."""

    family: str
    evidence: EvidenceReply
    advice: str
    source: str


class ScenarioReply(TypedDict):
    """The four dimensions."""

    urgency: str
    uncertainty: str
    expertise: str
    task_type: str


class PrincipleReply(TypedDict):
    """A principle that was retrieved; `similarity` is a cosine."""

    id: str
    title: str
    dimension: str
    version: str
    similarity: float


class VerdictReply(TypedDict):
    """What was found of one criterion, at which round (0 is the draft), and by which judge.

    Where one judge guides revisions and another accepts them, each criterion comes twice: the accepting one's first.
    """

    criterion_id: str
    principle_id: str
    criterion: str
    weight: int
    polarity: str
    present: bool | None
    verdict: str
    probability: float | None
    round: int
    judge: str


class PieceReply(TypedDict):
    """A run of text that a revision kept, inserted or deleted."""

    op: str
    text: str


class RevisionReply(TypedDict):
    """One attempt at mending.

    `diff` shows a draft's words, so it is null unless the tenant may see drafts, it was accepted and an answer left.
    """

    round: int
    style: str
    accepted: bool
    reason: str
    score_before: float
    score_after: float | None
    targets: list[str]
    diff: list[PieceReply] | None


class ScoreReply(TypedDict):
    """In [0, 1]; null where nothing was judged, or nothing judged was released."""

    draft: float | None
    released: float | None


class TokensReply(TypedDict):
    """Tokens of one or several model calls.

    `incomplete_calls` were cut by a deadline or broke off before their server had told all of their tokens: what it had
    told is counted, and no more is known.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    incomplete_calls: int


class UsageReply(TokensReply):
    """Tokens of all model calls, and of each stage's."""

    by_stage: dict[str, TokensReply]


class ProvenanceReply(TypedDict):
    """What the answer was made with."""

    principles_digest: str
    prompts_digest: str
    model: str
    checkpoint_digest: str
    judge: str
    judge_digest: str
    accept_judge: str
    accept_judge_digest: str
    seed: int | None
    service_version: str
    notices: list[str]


class ChatReply(TypedDict):
    """The whole object."""

    id: str
    created: int
    model: str
    answer: str
    outcome: str
    outcome_reason: str | None
    red_flags: list[RedFlagReply]
    scenario: ScenarioReply
    principles: list[PrincipleReply]
    verdicts: list[VerdictReply]
    revisions: list[RevisionReply]
    score: ScoreReply
    usage: UsageReply
    timings_ms: dict[str, float]
    provenance: ProvenanceReply


def chat_reply(answer: Answer) -> ChatReply:
    """The object of POST /chat. The verdicts are those of what left, or of the best that stayed behind."""
    assessment, best = answer.assessment, answer.judged or answer.draft
    return {
        "id": assessment.enquiry.id,
        "created": int(time.time()),
        "model": answer.provenance.model,
        "answer": answer.text,
        "outcome": answer.outcome.value,
        "outcome_reason": answer.reason.value if answer.reason else None,
        "red_flags": [red_flag_reply(flag) for flag in assessment.red_flags],
        "scenario": scenario_reply(assessment.scenario),
        "principles": [_principle(principle) for principle in assessment.principles],
        "verdicts": _verdicts(best, answer.provenance) if best else [],
        "revisions": [_revision(r, told=_may_tell_drafts(answer)) for r in answer.revisions],
        "score": {"draft": _draft_score(answer), "released": _score(answer.judged)},
        "usage": usage_reply(answer.usage),
        "timings_ms": {stage: round(answer.timings_ms.get(stage, 0.0), 3) for stage in STAGES},
        "provenance": provenance_reply(answer.provenance),
    }


def red_flag_reply(flag: RedFlag) -> RedFlagReply:
    """A red flag as JSON."""
    where = flag.evidence
    evidence: EvidenceReply = {"message": where.message, "start": where.start, "end": where.end}
    return {"family": flag.family, "evidence": evidence, "advice": flag.advice, "source": flag.source.value}


def scenario_reply(scenario: Scenario) -> ScenarioReply:
    """A scenario as JSON."""
    return {
        "urgency": scenario.urgency.value,
        "uncertainty": scenario.uncertainty.value,
        "expertise": scenario.expertise.value,
        "task_type": scenario.task_type.value,
    }


def usage_reply(by_stage: Mapping[str, Usage]) -> UsageReply:
    """Every model call counted, and each stage's share."""
    total = _tokens(sum(by_stage.values(), Usage()))
    return {**total, "by_stage": {stage: _tokens(usage) for stage, usage in by_stage.items()}}


def _tokens(usage: Usage) -> TokensReply:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_tokens,
        "incomplete_calls": usage.incomplete_calls,
    }


def _principle(principle: Retrieved) -> PrincipleReply:
    return {
        "id": principle.id,
        "title": principle.title,
        "dimension": principle.dimension,
        "version": principle.version,
        "similarity": round(principle.similarity, 4),
    }


def _verdicts(judged: Judged, by: Provenance) -> list[VerdictReply]:
    accepting = [_verdict(verdict, judged.round, by.accept_judge or by.judge) for verdict in judged.verdicts]
    return accepting + [_verdict(verdict, judged.round, by.judge) for verdict in judged.guidance]


def _verdict(verdict: Verdict, round_: int, judge: str) -> VerdictReply:
    criterion, presence = verdict.criterion, verdict.presence
    return {
        "criterion_id": criterion.id,
        "principle_id": criterion.principle_id,
        "criterion": criterion.text,
        "weight": criterion.weight,
        "polarity": criterion.polarity.value,
        "present": presence.present,
        "verdict": verdict.finding.value,
        "probability": None if presence.probability is None else round(presence.probability, 4),
        "round": round_,
        "judge": judge,
    }


def _may_tell_drafts(answer: Answer) -> bool:
    left = answer.outcome in {Outcome.RELEASED, Outcome.RELEASED_FLAGGED}
    return left and answer.assessment.enquiry.tenant.provisional_drafts


def _revision(revision: Revision, *, told: bool) -> RevisionReply:
    after = revision.score_after
    return {
        "round": revision.round,
        "style": revision.style.value,
        "accepted": revision.accepted,
        "reason": revision.reason.value,
        "score_before": round(revision.score_before, 4),
        "score_after": None if after is None else round(after, 4),
        "targets": list(revision.targets),
        "diff": _pieces(revision.before, revision.after) if told and revision.accepted and revision.after else None,
    }


def _pieces(before: str, after: str) -> list[PieceReply]:
    return [{"op": piece.op.value, "text": piece.text} for piece in diff(before, after)]


def _draft_score(answer: Answer) -> float | None:
    """The first round started from the draft; without rounds, the best candidate is the draft."""
    return round(answer.revisions[0].score_before, 4) if answer.revisions else _score(answer.draft)


def _score(judged: Judged | None) -> float | None:
    return None if judged is None else round(judged.score, 4)


def provenance_reply(provenance: Provenance) -> ProvenanceReply:
    """A provenance as JSON."""
    return {
        "principles_digest": provenance.principles_digest,
        "prompts_digest": provenance.prompts_digest,
        "model": provenance.model,
        "checkpoint_digest": provenance.checkpoint_digest,
        "judge": provenance.judge,
        "judge_digest": provenance.judge_digest,
        "accept_judge": provenance.accept_judge or provenance.judge,
        "accept_judge_digest": provenance.accept_judge_digest or provenance.judge_digest,
        "seed": provenance.seed,
        "service_version": provenance.service_version,
        "notices": list(provenance.notices),
    }
