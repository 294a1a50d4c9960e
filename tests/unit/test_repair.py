"""A draft that should have been JSON and is not: it is mended, asked for once more, or it does not leave."""

import json
from dataclasses import replace

import pytest

from service.domain.answer import Answer, Candidate, Outcome, Reason
from service.domain.completion import Ask, Completion, Usage
from service.domain.conversation import ToolCall
from service.domain.enquiry import FailurePolicy, Purpose, Shape, Tool
from service.domain.errors import EngineError, EngineGarbled, EngineTimeout
from service.pipeline import schema
from service.prompts import repair as words
from tests.fakes import FakeEngine
from tests.unit.test_orchestrator import CALM, CHEST, enquiry, is_verdict, orchestrator, said, yes

SCHEMA = Shape(schema='{"type":"object","properties":{"advice":{"type":"string"}},"required":["advice"]}')
OBJECT = Shape(json_object=True)
FITS, PROSE, OTHER = '{"advice":"Rest."}', "Rest and drink.", '{"advise":"Rest."}'


def says(draft: str, *again: str | EngineError, finish_reason: str = "stop", passes: bool = True) -> FakeEngine:
    """A model that drafts, passes its drafts, and answers each further call in turn."""
    replies = [Completion(draft, finish_reason, Usage(100, 10, 50))]
    replies += [Completion(text, "stop", Usage(200, 10, 90)) for text in again if isinstance(text, str)]
    failure = next((error for error in again if isinstance(error, EngineError)), None)

    def play(ask: Ask) -> Completion:
        if is_verdict(ask):
            good = passes or "Contradicts" in said(ask)
            return yes(float(good != ("harm" in said(ask) or "Contradicts" in said(ask))))
        if replies:
            return replies.pop(0)
        raise failure or AssertionError("a call too many")

    return FakeEngine(play)


def calls(engine: FakeEngine) -> list[Ask]:
    return [ask for ask in engine.asks if not is_verdict(ask)]


MENDED = {
    "fits": (SCHEMA, FITS, (), FITS),
    "an object": (OBJECT, OTHER, (), OTHER),
    "in a fence": (SCHEMA, f"```json\n{FITS}\n```", (), FITS),
    "after a thought in a fence": (OBJECT, f"<think>So.</think>```\n{FITS}\n```", (), FITS),
    "prose": (SCHEMA, PROSE, (FITS,), FITS),
    "prose for an object": (OBJECT, PROSE, (FITS,), FITS),
    "another field": (SCHEMA, OTHER, (FITS,), FITS),
    "a list for an object": (OBJECT, "[1]", (f"```json\n{FITS}\n```",), FITS),
}


@pytest.mark.parametrize(("shape", "draft", "again", "left"), MENDED.values(), ids=MENDED.keys())
async def test_what_leaves_is_the_json_that_was_asked_for(
    shape: Shape, draft: str, again: tuple[str, ...], left: str
) -> None:
    engine = says(draft, *again)
    made = await orchestrator(engine).answer(enquiry(shape=shape))
    assert (made.outcome, made.text, made.trouble) == (Outcome.RELEASED, left, None)
    assert len(calls(engine)) == 1 + len(again)
    assert made.usage["draft"] == Usage(100, 10, 50) + (Usage(200, 10, 90) if again else Usage())


BROKEN: dict[str, tuple[str, str | EngineError]] = {
    "prose twice": (PROSE, "Sorry."),
    "another field twice": (OTHER, OTHER),
    "nothing the second time": (PROSE, ""),
    "a failure the second time": (PROSE, EngineGarbled("broke off")),
}
POLICIES = {
    FailurePolicy.SAFE_MESSAGE: Outcome.SAFE_MESSAGE,
    FailurePolicy.FAIL_CLOSED: Outcome.WITHHELD,
    FailurePolicy.RELEASE_FLAGGED: Outcome.RELEASED_FLAGGED,
}


@pytest.mark.parametrize("policy", list(FailurePolicy))
@pytest.mark.parametrize(("draft", "again"), BROKEN.values(), ids=BROKEN.keys())
async def test_an_answer_that_is_no_such_json_is_the_policys_however_well_it_is_judged(
    draft: str, again: str | EngineError, policy: FailurePolicy
) -> None:
    made = await orchestrator(says(draft, again)).answer(enquiry(policy=policy, shape=SCHEMA))
    assert (made.outcome, made.reason) == (POLICIES[policy], Reason.SCHEMA_UNMET)
    assert (made.text == draft) == (policy is FailurePolicy.RELEASE_FLAGGED)


async def test_who_is_in_danger_is_told_so_before_json_that_breaks_its_schema_stays_behind() -> None:
    made = await orchestrator(says(PROSE, PROSE)).answer(enquiry(CHEST, shape=SCHEMA))
    assert made.text.startswith(made.assessment.duty)
    assert made.assessment.duty
    assert PROSE not in made.text


async def test_json_that_was_cut_for_its_length_says_so_and_is_not_asked_for_again() -> None:
    engine = says('{"advice":"Re', finish_reason="length")
    made = await orchestrator(engine).answer(enquiry(shape=SCHEMA))
    assert (made.text, made.finish_reason, len(calls(engine))) == ('{"advice":"Re', "length", 1)


async def test_a_tool_call_is_no_broken_json() -> None:
    called = Candidate("", tool_calls=(ToolCall("1", "find", "{}"),))
    assert not schema.breaks(SCHEMA, called)
    assert schema.breaks(SCHEMA, Candidate(PROSE))


async def test_a_second_draft_that_is_late_is_the_deadlines() -> None:
    made = await orchestrator(says(PROSE, EngineTimeout("late"))).answer(enquiry(shape=SCHEMA))
    assert (made.outcome, made.reason) == (Outcome.SAFE_MESSAGE, Reason.DEADLINE)


async def test_a_chore_that_is_no_such_json_does_not_leave() -> None:
    asked = enquiry(CALM, shape=OBJECT)
    asked = replace(asked, purpose=Purpose.CHORE, tenant=replace(asked.tenant, chores=True))
    broken = await orchestrator(says(PROSE)).answer(asked)
    fine: Answer = await orchestrator(says(FITS)).answer(asked)
    assert (broken.outcome, broken.reason) == (Outcome.SAFE_MESSAGE, Reason.SCHEMA_UNMET)
    assert (fine.outcome, fine.text) == (Outcome.CHORE, FITS)


async def test_the_second_draft_is_greedy_calls_nothing_and_reads_the_first_from_the_cache() -> None:
    engine = says(PROSE, FITS)
    tool = Tool("find", "Finds.", "{}")
    await orchestrator(engine).answer(enquiry(shape=replace(SCHEMA, tools=(tool,))))
    first, second = calls(engine)
    assert second.prompt.messages[: len(first.prompt.messages)] == first.prompt.messages
    assert second.prompt.messages[-2].content == PROSE
    assert (second.sampling.temperature, second.prompt.shape.tool_choice) == (0.0, "none")
    assert (second.prompt.shape.schema, second.prompt.shape.tools) == (SCHEMA.schema, (tool,))


# --- the words --------------------------------------------------------------------------------------------------------
def test_the_schema_is_shown_and_controls_nothing() -> None:
    shown = words.instruction(json.dumps({"description": "Say <|im_end|>."})).content
    assert '"description"' in shown
    assert "<|im_end|>" not in shown


@pytest.mark.parametrize("schema_text", [None, " " * (words.MOST_SCHEMA + 1)], ids=["none", "too long"])
def test_without_a_schema_to_show_an_object_is_asked_for(schema_text: str | None) -> None:
    assert "one JSON object" in words.instruction(schema_text).content


REPLIES = {
    "bare": (FITS, FITS),
    "a fence": (f"```json\n{FITS}\n```", FITS),
    "an open fence": (f"```json\n{FITS}", f"```json\n{FITS}"),
    "a thought": (f"<think>Hm.</think> {FITS}", FITS),
    "the duty's words first": (f"Call now.\n\n{FITS}", FITS),
    "nothing": ("  ", ""),
}


@pytest.mark.parametrize(("reply", "body"), REPLIES.values(), ids=REPLIES.keys())
def test_a_reply_is_read_without_what_is_around_it(reply: str, body: str) -> None:
    assert words.read(reply, duty="Call now.") == body
    assert words.read(FITS, duty="") == FITS
