"""An answer as JSON, to the letter of the interface."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from service.domain.answer import Answer, Candidate, Judged, Outcome, Provenance, Reason, Revision, RevisionReason
from service.domain.assessment import Assessment, RedFlag, Span
from service.domain.completion import Usage
from service.domain.conversation import Conversation, Message, Role, ToolCall
from service.domain.deadline import Deadline
from service.domain.enquiry import Enquiry, RevisionStyle, Tenant
from service.domain.errors import Unauthorised
from service.domain.verdict import Presence, Verdict
from service.gateway.account import entry, keyed_digest, salted
from service.gateway.answering import Given
from service.gateway.desk import Tenants
from service.gateway.openai_reply import completion_reply
from service.gateway.replies import chat_reply
from tests.gateway_fakes import CALM, REST, RISK, ROUTINE, FakeDesk

SAID = Conversation((Message(Role.USER, "I cough."),))
ENQUIRY = Enquiry("chat_7", Tenant("clinic"), SAID, Deadline(0.0))
ASSESSMENT = Assessment(ENQUIRY, (RedFlag("cardiac", Span(0, 2, 7), "Call now."),), ROUTINE, (CALM,), (RISK, REST))
DRAFT = Judged(Candidate("Bad."), (Verdict(RISK, Presence(present=True, probability=0.98765)),))
MENDED = Judged(
    Candidate("Good."), (Verdict(RISK, Presence(present=False, probability=0.1)), Verdict(REST, Presence(None))), 1
)
REVISED = Revision(1, RevisionStyle.EDITS, True, RevisionReason.BETTER, 0.0, 0.69231, (RISK.id,), "Bad.", "Good.")
ANSWER = Answer(
    assessment=ASSESSMENT,
    text="Call now.\n\nGood.",
    outcome=Outcome.RELEASED,
    reason=None,
    judged=MENDED,
    draft=MENDED,
    revisions=(REVISED,),
    usage={"draft": Usage(100, 10, 50), "judge": Usage(240, 2, 200)},
    timings_ms={"draft": 1.23456, "total": 5.0},
    provenance=Provenance("sha256:p", "sha256:q", "m", "sha256:c", "self", 3, "0.1", ("judge_uncalibrated",)),
)


def test_a_released_answer_reads_as_the_interface_says() -> None:
    reply: Any = chat_reply(ANSWER)
    assert reply.pop("created") > 0
    assert orjson.loads(orjson.dumps(reply)) == {
        "id": "chat_7",
        "model": "m",
        "answer": "Call now.\n\nGood.",
        "outcome": "released",
        "outcome_reason": None,
        "red_flags": [
            {
                "family": "cardiac",
                "evidence": {"message": 0, "start": 2, "end": 7},
                "advice": "Call now.",
                "source": "rules",
            }
        ],
        "scenario": {
            "urgency": "routine",
            "uncertainty": "reducible",
            "expertise": "lay",
            "task_type": "triage",
        },
        "principles": [
            {"id": "calm", "title": "Calm", "dimension": "task_type", "version": "1.0.0", "similarity": 0.5}
        ],
        "verdicts": [
            {
                "criterion_id": "calm#risk",
                "principle_id": "calm",
                "criterion": "Does harm.",
                "weight": 9,
                "polarity": "must_not",
                "present": False,
                "verdict": "met",
                "probability": 0.1,
                "round": 1,
                "judge": "self",
            },
            {
                "criterion_id": "calm#rest",
                "principle_id": "calm",
                "criterion": "Says to rest.",
                "weight": 4,
                "polarity": "must",
                "present": None,
                "verdict": "unknown",
                "probability": None,
                "round": 1,
                "judge": "self",
            },
        ],
        "revisions": [
            {
                "round": 1,
                "style": "edits",
                "accepted": True,
                "reason": "better",
                "score_before": 0.0,
                "score_after": 0.6923,
                "targets": ["calm#risk"],
                "diff": None,
            }
        ],
        "score": {"draft": 0.0, "released": 0.6923},
        "usage": {
            "prompt_tokens": 340,
            "completion_tokens": 12,
            "total_tokens": 352,
            "cached_tokens": 250,
            "incomplete_calls": 0,
            "by_stage": {
                "draft": {
                    "prompt_tokens": 100,
                    "completion_tokens": 10,
                    "total_tokens": 110,
                    "cached_tokens": 50,
                    "incomplete_calls": 0,
                },
                "judge": {
                    "prompt_tokens": 240,
                    "completion_tokens": 2,
                    "total_tokens": 242,
                    "cached_tokens": 200,
                    "incomplete_calls": 0,
                },
            },
        },
        "timings_ms": {"screen": 0.0, "retrieve": 0.0, "draft": 1.235, "judge": 0.0, "revise": 0.0, "total": 5.0},
        "provenance": {
            "principles_digest": "sha256:p",
            "prompts_digest": "sha256:q",
            "model": "m",
            "checkpoint_digest": "sha256:c",
            "judge": "self",
            "judge_digest": "",
            "accept_judge": "self",
            "accept_judge_digest": "",
            "seed": 3,
            "service_version": "0.1",
            "notices": ["judge_uncalibrated"],
        },
    }


def test_what_was_withheld_shows_the_verdicts_that_kept_it_and_no_score_of_a_release() -> None:
    kept = replace(
        ANSWER, text="", outcome=Outcome.WITHHELD, reason=Reason.CRITERIA_UNMET, judged=None, draft=DRAFT, revisions=()
    )
    reply = chat_reply(kept)
    assert (reply["outcome"], reply["outcome_reason"]) == ("withheld", "criteria_unmet")
    assert [(v["verdict"], v["probability"], v["round"]) for v in reply["verdicts"]] == [("unmet", 0.9877, 0)]
    assert reply["score"] == {"draft": 0.0, "released": None}


def test_where_nothing_was_judged_there_are_no_verdicts_and_no_scores() -> None:
    reply = chat_reply(replace(ANSWER, judged=None, draft=None, revisions=()))
    assert (reply["verdicts"], reply["score"]) == ([], {"draft": None, "released": None})


def told(*, drafts: bool = True, accepted: bool = True, outcome: Outcome = Outcome.RELEASED) -> bytes:
    tenant = replace(ASSESSMENT.enquiry.tenant, provisional_drafts=drafts)
    assessment = replace(ASSESSMENT, enquiry=replace(ASSESSMENT.enquiry, tenant=tenant))
    made = replace(REVISED, accepted=accepted, before="Secret words.")
    return orjson.dumps(chat_reply(replace(ANSWER, assessment=assessment, outcome=outcome, revisions=(made,))))


def test_what_an_accepted_revision_changed_is_told_to_tenants_that_may_see_drafts() -> None:
    assert b"Secret" in told()


@pytest.mark.parametrize(
    "case",
    [{"drafts": False}, {"accepted": False}, {"outcome": Outcome.WITHHELD}, {"outcome": Outcome.SAFE_MESSAGE}],
    ids=["no-consent", "left", "withheld", "safe-message"],
)
def test_otherwise_a_drafts_words_stay_behind(case: dict[str, Any]) -> None:
    assert b"Secret" not in told(**case)


def test_a_completion_of_tool_calls_alone_has_no_content() -> None:
    given = Given(chat_reply(replace(ANSWER, text="")), "tool_calls", (ToolCall("c", "f", "{}"),))
    message = completion_reply(given, parallel=True)["choices"][0]["message"]
    assert (message["content"], len(message["tool_calls"])) == (None, 1)


def test_the_ledgers_entry_is_plain_json_without_text() -> None:
    written = orjson.dumps(entry(ANSWER, key=b"k" * 16))
    assert b"conversation_hmac" in written
    assert not any(word in written for word in (b"cough", b"Good", b"Bad.", b"Call now", b"Does harm"))


def test_a_digest_depends_on_its_key_and_its_purpose() -> None:
    digests = {keyed_digest(key, purpose, SAID.messages) for key in (b"a", b"b") for purpose in ("x", "y")}
    assert len(digests) == 4


def test_a_key_finds_its_tenant_and_no_other() -> None:
    tenants = Tenants({"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b": Tenant("clinic")})
    assert tenants.of("secret").name == "clinic"
    for wrong in (None, "", "Secret", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"):
        with pytest.raises(Unauthorised):
            tenants.of(wrong)


def test_without_keys_and_without_a_tenant_nobody_gets_in() -> None:
    with pytest.raises(Unauthorised):
        Tenants().of("any")
    assert Tenants(open_to=Tenant("local")).of(None).name == "local"


def test_each_tenant_has_a_salt_that_nobody_without_the_key_can_tell() -> None:
    salts = {salted(Tenant(name), key=key).cache_salt for key in (b"a", b"b") for name in ("ward", "clinic")}
    assert len(salts) == 4
    assert not any(name in salt for salt in salts for name in ("ward", "clinic"))
    assert salted(Tenant("ward"), key=b"a") == salted(Tenant("ward"), key=b"a")


def test_the_audit_key_is_in_no_description_of_the_desk() -> None:
    assert "kkkk" not in repr(FakeDesk().desk)
