"""What is written down of an answer: its ledger entry, its metrics and its log line. None of them holds text."""

import hashlib
import hmac
import time
from dataclasses import replace

import orjson

from service.domain.answer import Answer
from service.domain.enquiry import Enquiry, Tenant
from service.gateway.replies import provenance_reply, scenario_reply, usage_reply
from service.observability.logs import event
from service.observability.metrics import Metrics


def keyed_digest(key: bytes, purpose: str, content: object) -> str:
    """HMAC-SHA256 in hex: without the key, nobody can tell whose words a digest stands for by guessing them."""
    message = purpose.encode() + b"\0" + orjson.dumps(content)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def salted(tenant: Tenant, *, key: bytes) -> Tenant:
    """The tenant with a part of the model's prefix cache to itself; the key keeps others from guessing which."""
    return replace(tenant, cache_salt=keyed_digest(key, "cache_salt", tenant.name))


def entry(answer: Answer, *, key: bytes) -> dict[str, object]:
    """The ledger's entry: what was decided and why."""
    enquiry, assessment = answer.assessment.enquiry, answer.assessment
    best = answer.judged or answer.draft
    return {
        "id": enquiry.id,
        "at": round(time.time(), 3),
        "tenant": enquiry.tenant.name,
        "failure_policy": enquiry.tenant.failure_policy.value,
        "release_line": enquiry.tenant.release_line,
        "outcome": answer.outcome.value,
        "outcome_reason": answer.reason.value if answer.reason else None,
        "conversation_hmac": conversation_digest(enquiry, key=key),
        "user_hmac": keyed_digest(key, "user", enquiry.user) if enquiry.user else None,
        "answer_hmac": keyed_digest(key, "answer", answer.text),
        "red_flags": [flag.family for flag in assessment.red_flags],
        "scenario": scenario_reply(assessment.scenario),
        "principles": [{"id": p.id, "version": p.version} for p in assessment.principles],
        "verdicts": [
            {"criterion_id": v.criterion.id, "verdict": v.finding.value, "probability": v.presence.probability}
            for v in (best.verdicts if best else ())
        ],
        "round": best.round if best else None,
        "revisions": [
            {"round": r.round, "style": r.style.value, "accepted": r.accepted, "reason": r.reason.value}
            for r in answer.revisions
        ],
        "usage": usage_reply(answer.usage),
        "timings_ms": dict(answer.timings_ms),
        "provenance": provenance_reply(answer.provenance),
    }


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
