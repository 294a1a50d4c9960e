"""What an answer adds up, what a conversation says of itself, and what a caller may ask for."""

from dataclasses import replace

import pytest

from service.domain.answer import Answer, Candidate, Judged, Outcome, Provenance
from service.domain.assessment import (
    Assessment,
    Criterion,
    Expertise,
    Polarity,
    Scenario,
    TaskType,
    Uncertainty,
    Urgency,
)
from service.domain.completion import Usage
from service.domain.conversation import Conversation, Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Audience, Enquiry, Shape, Tenant
from service.domain.verdict import Presence, Verdict

RISK = Criterion("calm#risk", "calm", "Names the risk.", 7, Polarity.MUST)
REST = Criterion("calm#rest", "calm", "Says to rest.", 3, Polarity.MUST)
ASKED = Enquiry("chat_1", Tenant("clinic"), Conversation((Message(Role.USER, "I cough."),)), Deadline(0.0))
CALM = Scenario(Urgency.ROUTINE, Uncertainty.NONE, Expertise.LAY, TaskType.TRIAGE)


def _judged(*present: bool | None) -> Judged:
    return Judged(
        Candidate("Rest."), tuple(Verdict(c, Presence(p)) for c, p in zip((RISK, REST), present, strict=True))
    )


def test_a_score_is_the_share_of_weight_that_is_met_and_unknown_meets_nothing() -> None:
    assert _judged(True, False).score == 0.7
    assert _judged(None, True).score == 0.3


def test_usage_adds_up_and_keeps_what_was_cut() -> None:
    both = Usage(100, 10, 50) + Usage(20, 2, 0, incomplete_calls=1)
    assert both == Usage(120, 12, 50, 1)
    assert both.total_tokens == 132


@pytest.mark.parametrize(
    ("told", "said", "reads"),
    [
        (Audience.PATIENT, Audience.CLINICIAN, Audience.PATIENT),
        (None, Audience.CLINICIAN, Audience.CLINICIAN),
        (None, None, None),
    ],
    ids=["the-request-says", "the-person-says", "nobody-says"],
)
def test_who_reads_is_the_requests_to_say_first(
    told: Audience | None, said: Audience | None, reads: Audience | None
) -> None:
    assessed = Assessment(replace(ASKED, audience=told), (), CALM, (), (), writer=said)
    assert assessed.audience is reads


def test_an_answer_costs_what_all_its_calls_cost() -> None:
    answer = Answer(
        assessment=Assessment(ASKED, (), CALM, (), ()),
        text="Rest.",
        outcome=Outcome.RELEASED,
        reason=None,
        judged=None,
        draft=None,
        revisions=(),
        usage={"draft": Usage(100, 10, 50), "judge": Usage(240, 2, 200)},
        timings_ms={},
        provenance=Provenance("sha256:p", "sha256:q", "m", "sha256:c", "self", None, "0.1"),
    )
    assert answer.total_usage == Usage(340, 12, 250)


def test_the_question_is_the_latest_of_the_user_and_instructions_are_the_apps_own() -> None:
    turns = ((Role.SYSTEM, "Be brief."), (Role.USER, "One?"), (Role.DEVELOPER, "Be kind."), (Role.USER, "Two?"))
    conversation = Conversation(tuple(Message(role, text) for role, text in (*turns, (Role.TOOL, "42"))))
    assert conversation.question == "Two?"
    assert conversation.instructions == "Be brief.\n\nBe kind."


@pytest.mark.parametrize(
    ("body", "duty", "text"),
    [("Rest.", "Call now.", "Call now.\n\nRest."), ("Rest.", "", "Rest."), ("", "Call now.", "Call now.")],
    ids=["both", "body", "duty"],
)
def test_the_duty_stands_before_the_body(body: str, duty: str, text: str) -> None:
    assert Candidate(body, duty).text == text


def test_a_judge_that_guides_is_asked_beside_the_one_that_accepts() -> None:
    alone = _judged(True, True)
    assert (alone.guiding, alone.by_judge) == (alone.verdicts, (alone.verdicts,))
    stricter = _judged(True, False).verdicts
    guided = Judged(alone.candidate, alone.verdicts, guidance=stricter)
    assert guided.guiding == stricter
    assert guided.by_judge == (alone.verdicts, stricter)


def test_a_deadline_runs_out_and_never_below_nothing() -> None:
    assert 0.0 < Deadline.after(60.0).remaining() <= 60.0
    assert Deadline.after(-1.0).remaining() == 0.0


@pytest.mark.parametrize(
    ("shape", "text", "fits"),
    [
        (Shape(schema="{}"), "[1]", True),
        (Shape(schema="{}"), "Rest.", False),
        (Shape(schema="{}"), "[" * 100_000, False),
        (Shape(json_object=True), '{"a": 1}', True),
        (Shape(json_object=True), "[1]", False),
    ],
    ids=["schema", "prose", "deep", "object", "list"],
)
def test_json_is_known_from_what_is_none(shape: Shape, text: str, fits: bool) -> None:
    assert shape.structured
    assert shape.fits(text) is fits


def test_prose_is_asked_for_unless_json_is() -> None:
    assert not Shape().structured
