"""What is written down of an answer: its ledger entry, its metrics and its log line. None of them holds text."""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

import orjson

from service.domain.answer import Answer, Judged, Revision
from service.domain.assessment import Assessment
from service.domain.enquiry import Enquiry, Tenant
from service.domain.verdict import Verdict
from service.gateway.replies import provenance_reply, scenario_reply, usage_reply
from service.observability.logs import event
from service.observability.metrics import Metrics

# What the ledger adds to an entry, and the seal itself.
_LEDGERS_OWN = frozenset({"prev", "hash", "entry_hmac"})


def keyed_digest(key: bytes, purpose: str, content: object) -> str:
    """HMAC-SHA256 in hex: without the key, nobody can tell whose words a digest stands for by guessing them."""
    message = purpose.encode() + b"\0" + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def salted(tenant: Tenant, *, key: bytes) -> Tenant:
    """The tenant with a part of the model's prefix cache to itself; the key keeps others from guessing which."""
    return replace(tenant, cache_salt=keyed_digest(key, "cache_salt", tenant.name))


def entry(answer: Answer, *, key: bytes) -> dict[str, object]:
    """The ledger's entry: what was decided and why, and all that a replay needs but the words themselves."""
    enquiry, assessment = answer.assessment.enquiry, answer.assessment
    best = answer.judged or answer.draft
    return sealed(
        {
            "id": enquiry.id,
            "at": round(time.time(), 3),
            "tenant": enquiry.tenant.name,
            "failure_policy": enquiry.tenant.failure_policy.value,
            "release_line": enquiry.tenant.release_line,
            "chores": enquiry.tenant.chores,
            "outcome": answer.outcome.value,
            "outcome_reason": answer.reason.value if answer.reason else None,
            "trouble": answer.trouble.value if answer.trouble else None,
            "conversation_hmac": conversation_digest(enquiry, key=key),
            "user_hmac": keyed_digest(key, "user", enquiry.user) if enquiry.user else None,
            "answer_hmac": keyed_digest(key, "answer", answer.text),
            **terms(enquiry, key=key),
            **assessed(assessment, key=key),
            "verdicts": _verdicts(best.verdicts if best else ()),
            "round": best.round if best else None,
            "candidates": [candidate(judged, key=key) for judged in _all_judged(answer)],
            "revisions": [_revision(revision) for revision in answer.revisions],
            "usage": usage_reply(answer.usage),
            "timings_ms": dict(answer.timings_ms),
            "provenance": provenance_reply(answer.provenance),
        },
        key=key,
    )


def sealed(content: dict[str, object], *, key: bytes) -> dict[str, object]:
    """The entry with an HMAC over the rest of it: a chain of hashes can be written anew by anybody, this cannot."""
    return {**content, "entry_hmac": seal_of(content, key=key)}


def seal_of(content: Mapping[str, object], *, key: bytes) -> str:
    """The HMAC over an entry, whether it comes from here or from the ledger."""
    rest = {name: value for name, value in content.items() if name not in _LEDGERS_OWN}
    return keyed_digest(key, "entry", rest)


def terms(enquiry: Enquiry, *, key: bytes) -> dict[str, object]:
    """On which terms it was asked. What may hold words (stops, tools, schemas) is there as its HMAC alone."""
    sampling = asdict(replace(enquiry.sampling, stop=()))
    del sampling["stop"]
    return {
        "purpose": enquiry.purpose.value,
        "audience": enquiry.audience.value if enquiry.audience else None,
        "options": asdict(enquiry.options),
        "sampling": sampling,
        "shape_hmac": keyed_digest(key, "shape", (enquiry.shape, enquiry.sampling.stop)),
        "key_hmac": keyed_digest(key, "key", ""),
    }


def assessed(assessment: Assessment, *, key: bytes) -> dict[str, object]:
    """What was known before a word was drafted."""
    return {
        "red_flags": [flag.family for flag in assessment.red_flags],
        "evidence": [asdict(flag.evidence) for flag in assessment.red_flags],
        "duty_hmac": keyed_digest(key, "duty", assessment.duty),
        "language": assessment.language,
        "scenario": scenario_reply(assessment.scenario),
        "principles": [
            {"id": p.id, "version": p.version, "similarity": round(p.similarity, 5)} for p in assessment.principles
        ],
        "rubric": [
            {"criterion_id": c.id, "weight": c.weight, "polarity": c.polarity.value, "text_sha256": _sha256(c.text)}
            for c in assessment.rubric
        ],
    }


def candidate(judged: Judged, *, key: bytes) -> dict[str, object]:
    """A version of the answer that was judged: its words as their HMAC, and what each judge found."""
    made = judged.candidate
    return {
        "round": judged.round,
        "text_hmac": keyed_digest(key, "candidate", (made.duty, made.body, made.tool_calls)),
        "score": judged.score,
        "verdicts": _verdicts(judged.verdicts),
        "guidance": _verdicts(judged.guidance),
    }


def _all_judged(answer: Answer) -> list[Judged]:
    first = [answer.first] if answer.first else []
    return first + [revision.judged for revision in answer.revisions if revision.judged]


def _verdicts(verdicts: Iterable[Verdict]) -> list[dict[str, object]]:
    return [
        {
            "criterion_id": v.criterion.id,
            "verdict": v.finding.value,
            "present": v.presence.present,
            "probability": v.presence.probability,
        }
        for v in verdicts
    ]


def _revision(revision: Revision) -> dict[str, object]:
    return {
        "round": revision.round,
        "style": revision.style.value,
        "accepted": revision.accepted,
        "reason": revision.reason.value,
        "score_before": revision.score_before,
        "score_after": revision.score_after,
        "targets": list(revision.targets),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def repeat_entry(enquiry: Enquiry, *, of: str, key: bytes) -> dict[str, object]:
    """The ledger's entry of an answer that came from the cache; `of` names the entry it was first given under."""
    return {
        "id": enquiry.id,
        "at": round(time.time(), 3),
        "tenant": enquiry.tenant.name,
        "outcome": "released",
        "repeats": of,
        "conversation_hmac": conversation_digest(enquiry, key=key),
    }


def conversation_digest(enquiry: Enquiry, *, key: bytes) -> str:
    """The same for the same messages."""
    return keyed_digest(key, "conversation", enquiry.conversation.messages)


def count(metrics: Metrics, answer: Answer) -> None:
    """Count the answer, its stages, verdicts, revisions, tokens and red flags."""
    metrics.outcomes.labels(answer.outcome.value, answer.reason.value if answer.reason else "none").inc()
    for stage, spent in answer.timings_ms.items():
        metrics.stage_seconds.labels(stage).observe(spent / 1000)
    for flag in answer.assessment.red_flags:
        metrics.red_flags.labels(flag.family).inc()
    for revision in answer.revisions:
        metrics.revisions.labels(revision.style.value, str(revision.accepted).lower(), revision.reason.value).inc()
    _count_verdicts(metrics, answer)
    _count_tokens(metrics, answer)


def log(answer: Answer) -> None:
    """One line: who, what came of it, and how much it took."""
    event(
        "answered",
        id=answer.assessment.enquiry.id,
        tenant=answer.assessment.enquiry.tenant.name,
        outcome=answer.outcome.value,
        reason=answer.reason.value if answer.reason else None,
        revisions=len(answer.revisions),
        tokens=answer.total_usage.total_tokens,
        total_ms=round(answer.timings_ms.get("total", 0.0), 1),
    )


def _count_verdicts(metrics: Metrics, answer: Answer) -> None:
    best = answer.judged or answer.draft
    dimensions = {p.id: p.dimension for p in answer.assessment.principles}
    for verdict in best.verdicts if best else ():
        dimension = dimensions.get(verdict.criterion.principle_id, "duty")
        metrics.verdicts.labels(dimension, verdict.finding.value).inc()


def _count_tokens(metrics: Metrics, answer: Answer) -> None:
    for stage, usage in answer.usage.items():
        metrics.tokens.labels(stage, "prompt").inc(usage.prompt_tokens)
        metrics.tokens.labels(stage, "completion").inc(usage.completion_tokens)
        metrics.tokens.labels(stage, "cached").inc(usage.cached_tokens)
