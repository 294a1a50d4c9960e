"""A revision stays within what was asked of the draft: its schema, its stop words, its length."""

import json
import time
from typing import Any

import pytest

from service.domain.answer import Candidate
from service.domain.assessment import Assessment
from service.domain.completion import Ask, Completion
from service.domain.conversation import Conversation, Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Enquiry, RevisionStyle, Sampling, Shape, Tenant
from service.pipeline import revise, schema
from service.pipeline.scenario import CAREFUL
from service.prompts import edits
from service.prompts.edits import Edit, Op
from tests.fakes import FakeEngine
from tests.unit.test_steps import HEAVY

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"advice": {"type": "string", "maxLength": 12}, "urgent": {"type": "boolean"}},
        "required": ["advice", "urgent"],
        "additionalProperties": False,
    }
)
DRAFT = '{"advice":"Wait.","urgent":false}'


async def revised(
    reply: str, *, draft: str = DRAFT, style: RevisionStyle = RevisionStyle.REWRITE, **asked: Any
) -> tuple[revise.Attempt, Ask]:
    shape, sampling = asked.get("shape", Shape()), asked.get("sampling", Sampling())
    question = Conversation((Message(Role.USER, "A cough."),))
    enquiry = Enquiry("chat_1", Tenant("t"), question, Deadline.after(5), shape=shape, sampling=sampling)
    engine = FakeEngine(lambda _: Completion(reply, "stop"))
    attempt = await revise.revise(
        Assessment(enquiry, (), CAREFUL, (), (HEAVY,)),
        Candidate(draft),
        [HEAVY],
        style=style,
        engine=engine,
        max_tokens=100,
    )
    return attempt, engine.asks[0]


REVISIONS = {
    "fits": ('{"advice":"Rest.","urgent":true}', True),
    "lacks a field": ('{"advice":"Rest."}', False),
    "has one more": ('{"advice":"Rest.","urgent":true,"note":"x"}', False),
    "another type": ('{"advice":"Rest.","urgent":"yes"}', False),
    "too long": ('{"advice":"Rest for a long time.","urgent":true}', False),
    "a list": ('[{"advice":"Rest.","urgent":true}]', False),
    "prose": ("Rest.", False),
    "cut short": ('{"advice":"Rest.","urg', False),
}


@pytest.mark.parametrize(("reply", "is_taken"), REVISIONS.values(), ids=REVISIONS.keys())
async def test_a_revision_that_breaks_the_schema_is_rejected(reply: str, is_taken: bool) -> None:
    attempt, ask = await revised(reply, shape=Shape(schema=SCHEMA))
    assert ask.prompt.shape.schema == SCHEMA
    assert (attempt.candidate is not None) is is_taken
    assert attempt.candidate is None or attempt.candidate.body == reply


@pytest.mark.parametrize("odd", ['{"type":"bogus"}', '{"$ref":"http://127.0.0.1:9/other"}', "[]"], ids=str)
def test_a_schema_that_cannot_be_read_or_points_elsewhere_asks_for_any_json(odd: str) -> None:
    assert schema.fits(Shape(schema=odd), "{}")
    assert not schema.fits(Shape(schema=odd), "{")


def test_a_pattern_that_would_take_for_ever_does_not() -> None:
    began = time.monotonic()
    asked = Shape(schema='{"type":"string","pattern":"^(a+)+$"}')
    assert not schema.fits(asked, json.dumps("a" * 5_000 + "b"))
    assert time.monotonic() - began < 5


async def test_a_revision_is_cut_at_the_drafts_stop_words_before_it_is_judged() -> None:
    sampling = Sampling(stop=("END", "###"))
    rewritten, _ = await revised("Rest well. ### END of it", draft="Wait.", sampling=sampling)
    added = edits.write([Edit(Op.INSERT, 1, "Rest. END Drink.")])
    edited, ask = await revised(added, draft="Wait.", style=RevisionStyle.EDITS, sampling=sampling)
    assert [attempt.candidate and attempt.candidate.body for attempt in (rewritten, edited)] == [
        "Rest well.",
        "Wait. Rest.",
    ]
    assert ask.sampling.stop == ()  # edits are JSON, and would break there


async def test_a_revision_of_which_the_stop_words_leave_nothing_is_none() -> None:
    attempt, _ = await revised("END", draft="Wait.", sampling=Sampling(stop=("END",)))
    assert attempt.candidate is None


@pytest.mark.parametrize(("style", "tokens"), [(RevisionStyle.REWRITE, 7), (RevisionStyle.EDITS, 100)])
async def test_a_rewrite_is_no_longer_than_the_draft_might_be(style: RevisionStyle, tokens: int) -> None:
    _, ask = await revised("Rest.", draft="Wait.", style=style, sampling=Sampling(max_tokens=7))
    assert ask.sampling.max_tokens == tokens
