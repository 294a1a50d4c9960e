"""The steps that need no model: scenario, retrieve, rubric, fit and release."""

import json
from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.answer import Candidate, Judged, Outcome, Reason
from service.domain.assessment import (
    Assessment,
    Criterion,
    Expertise,
    Polarity,
    RedFlag,
    Retrieved,
    Scenario,
    Span,
    TaskType,
    Uncertainty,
    Urgency,
)
from service.domain.conversation import Conversation, Message, Role, ToolCall
from service.domain.deadline import Deadline
from service.domain.enquiry import Audience, Enquiry, FailurePolicy, Options, Shape, Tenant, Tool
from service.domain.errors import InvalidRequest, StoreError
from service.domain.verdict import Presence, Verdict
from service.pipeline import fit, release, retrieve, rubric, scenario
from service.pipeline.ports import Abilities, Hits
from service.pipeline.retrieve import Nearness

ROUTINE = Scenario(Urgency.ROUTINE, Uncertainty.NONE, Expertise.LAY, TaskType.EDUCATION)
FLAG = RedFlag("cardiac", Span(0, 0, 3), "Call your emergency number now.")
NEAR = Nearness(principle=0.25, relevance=0.25, most=2, health=0.2)


def principle(
    name: str, *, similarity: float = 0.6, dimension: str = "task_type", level: str = "triage", always: bool = False
) -> Retrieved:
    criteria = (
        Criterion(f"{name}#a", name, "Does it.", 6, Polarity.MUST),
        Criterion(f"{name}#b", name, "Does harm.", 8, Polarity.MUST_NOT),
    )
    return Retrieved(
        name,
        name,
        f"Be {name}.",
        dimension,
        level,
        "1.0.0",
        similarity,
        criteria,
        always_on=always,
        relevance=similarity,
    )


def hits(*nearest: Retrieved, flagged: tuple[Retrieved, ...] = (), health: float = 0.6) -> Hits:
    return Hits(
        scenario=ROUTINE,
        nearest=nearest,
        always_on=(principle("always", always=True, similarity=1.0),),
        flagged=flagged,
        outside=(principle("outside"),),
        health=health,
        passage=health,
        digest="d",
    )


def names(chosen: tuple[Retrieved, ...]) -> list[str]:
    return [p.id for p in chosen]


def select(
    found: Hits, *, of: Scenario = ROUTINE, limit: int = 10, reads: bool = True, careful: bool = False
) -> list[str]:
    chosen = retrieve.select(found, scenario=of, limit=limit, nearness=NEAR, reads_language=reads, careful=careful)
    return names(chosen)


# --- scenario ---------------------------------------------------------------------------------------------------------
def test_a_red_flag_is_a_floor_under_urgency() -> None:
    assert scenario.settle(ROUTINE, red_flags=[FLAG], audience=None).urgency is Urgency.EMERGENT
    assert scenario.settle(ROUTINE, red_flags=[], audience=None) == ROUTINE


def test_the_audience_that_the_request_names_decides_the_reader() -> None:
    assert scenario.settle(ROUTINE, red_flags=[], audience=Audience.CLINICIAN).expertise is Expertise.PROFESSIONAL
    clinician = replace(ROUTINE, expertise=Expertise.PROFESSIONAL)
    assert scenario.settle(clinician, red_flags=[], audience=Audience.PATIENT).expertise is Expertise.LAY


# --- retrieve ---------------------------------------------------------------------------------------------------------
def test_flagged_come_first_then_always_on_then_the_nearest_and_none_twice() -> None:
    near = principle("near")
    assert select(hits(near, principle("flag"), flagged=(principle("flag"),))) == ["flag", "always", "near"]


def test_what_is_too_far_is_not_taken() -> None:
    assert select(hits(principle("far", similarity=0.1))) == ["always"]


def test_only_the_most_relevant_of_those_that_fit_apply() -> None:
    first, second, third = (principle(name) for name in ("first", "second", "third"))
    professional = principle("dose", dimension="expertise", level="professional")
    assert select(hits(first, second, third)) == ["always", "first", "second"]
    assert select(hits(first, professional, third)) == ["always", "first", "third"]


def test_the_scenario_may_raise_what_lies_far_but_not_bring_in_what_is_irrelevant() -> None:
    raised = replace(principle("raised", similarity=0.1), relevance=0.6)
    near = replace(principle("near"), relevance=0.2)
    assert select(hits(raised, near)) == ["always", "raised"]


def test_an_emergencys_demands_do_not_fall_on_a_routine_question() -> None:
    call = principle("call", dimension="urgency", level="emergent")
    assert "call" not in select(hits(call))
    assert "call" in select(hits(call), of=replace(ROUTINE, urgency=Urgency.URGENT))


def test_an_emergency_needs_more_than_nearness_to_half_fit() -> None:
    call = principle("call", dimension="urgency", level="emergent", similarity=0.35)
    urgent = replace(ROUTINE, urgency=Urgency.URGENT)
    assert "call" not in select(hits(call), of=urgent)
    assert "call" in select(hits(call, flagged=(call,)), of=urgent)


def test_needless_alarm_is_no_measure_of_an_emergency() -> None:
    calm = principle("calm", dimension="urgency", level="routine")
    assert "calm" in select(hits(calm))
    assert "calm" not in select(hits(calm), of=replace(ROUTINE, urgency=Urgency.EMERGENT))


def test_professional_principles_are_for_professionals() -> None:
    dose = principle("dose", dimension="expertise", level="professional")
    assert "dose" not in select(hits(dose))
    assert "dose" in select(hits(dose), of=replace(ROUTINE, expertise=Expertise.PROFESSIONAL))


def test_a_question_far_from_health_gets_the_principles_for_such_questions() -> None:
    assert select(hits(principle("near"), health=0.1)) == ["outside"]


def test_what_lies_nearest_to_the_principle_for_such_questions_says_little_alone() -> None:
    said = hits(principle("outside", similarity=0.5), principle("near", similarity=0.4))
    assert retrieve.says_little(said, nearness=NEAR)
    assert not retrieve.says_little(hits(principle("near", similarity=0.4)), nearness=NEAR)


def test_the_passage_nearest_to_health_speaks_for_a_text_if_it_is_near_enough() -> None:
    some, more, less = (hits(principle(name), health=health) for name, health in (("a", 0.3), ("b", 0.9), ("c", -0.9)))
    assert retrieve.most_clinical([some, more, less], nearness=NEAR) is more
    assert retrieve.most_clinical([less], nearness=NEAR) is None


def test_a_red_flag_makes_any_question_a_health_question() -> None:
    assert select(hits(flagged=(principle("flag"),), health=0.1), careful=True) == ["flag", "always"]
    assert select(hits(principle("outside"), health=0.1), careful=True) == ["always"]


def test_a_language_that_the_encoder_does_not_read_gets_what_always_applies() -> None:
    assert select(hits(principle("near"), health=0.1), reads=False) == ["always"]


def test_the_limit_drops_neither_a_red_flags_principle_nor_one_that_always_applies() -> None:
    flagged = tuple(principle(name) for name in ("one", "two", "three"))
    assert select(hits(principle("near"), flagged=flagged), limit=1) == ["one", "two", "three", "always"]


def test_nothing_retrieved_is_an_error_and_never_an_empty_pass() -> None:
    nothing = replace(hits(), always_on=())
    with pytest.raises(StoreError, match="principles build"):
        select(nothing)


# --- rubric -----------------------------------------------------------------------------------------------------------
def test_the_duty_comes_first_and_is_never_dropped() -> None:
    chosen = rubric.select([principle("near")], red_flags=[FLAG], limit=1)
    assert chosen[0].id == rubric.DUTY_ID
    assert chosen[0].polarity is Polarity.MUST_NOT


def test_always_on_criteria_stay_when_the_limit_is_reached() -> None:
    chosen = rubric.select([principle("near"), principle("on", always=True)], red_flags=[], limit=1)
    assert [c.id for c in chosen] == ["on#a", "on#b"]


def test_a_red_flags_criteria_stay_though_others_are_nearer() -> None:
    far, near = principle("far", similarity=0.1), principle("near", similarity=0.9)
    chosen = rubric.select([far, near], red_flags=[FLAG], flagged={"far"}, limit=2)
    assert [c.id for c in chosen] == [rubric.DUTY_ID, "far#a", "far#b"]


def test_the_weightiest_and_nearest_criteria_come_first() -> None:
    chosen = rubric.select([principle("far", similarity=0.3), principle("near", similarity=0.9)], red_flags=[], limit=2)
    assert [c.id for c in chosen] == ["near#b", "near#a"]


# --- fit --------------------------------------------------------------------------------------------------------------
class Counter:
    """An engine that only counts: one token every `bytes_per_token` bytes, or not at all."""

    abilities = Abilities("m", 2048, probabilities=True, json_schema=True, cached_tokens=True)

    def __init__(self, bytes_per_token: float | None = 4.0) -> None:
        self.bytes_per_token = bytes_per_token

    async def complete(self, *_: object, **__: object) -> None:
        raise AssertionError

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        return int(len(text.encode()) / self.bytes_per_token) if self.bytes_per_token else None


def turns(count: int, words: int = 50) -> Conversation:
    roles = [Role.USER, Role.ASSISTANT]
    said = [Message(roles[n % 2], f"{n} " + "word " * words) for n in range(count)]
    return Conversation((Message(Role.SYSTEM, "App."), *said[: count - (count % 2 == 0)]))


async def fitted(
    conversation: Conversation,
    *,
    budget: int,
    engine: Counter | None = None,
    tools: tuple[Tool, ...] = (),
    whole: bool = False,
) -> Conversation:
    enquiry = Enquiry(
        "chat_1", Tenant("t"), conversation, Deadline.after(5), options=Options(whole=whole), shape=Shape(tools=tools)
    )
    return await fit.fit(enquiry, budget=budget, engine=engine or Counter())  # type: ignore[arg-type]


async def test_a_conversation_that_fits_is_the_same_object() -> None:
    short = turns(3)
    assert await fitted(short, budget=10_000) is short
    assert await fitted(short, budget=350) is short


async def test_the_oldest_turns_go_first_and_a_user_opens_what_is_left() -> None:
    kept = await fitted(turns(201), budget=500)
    assert kept.messages[0].role is Role.SYSTEM
    assert kept.turns[0].role is Role.USER
    assert kept.turns[-1].content.startswith("200 ")
    assert len(kept.turns) < 20


@pytest.mark.parametrize("bytes_per_token", [4.0, None], ids=["counted", "estimated"])
async def test_a_last_message_that_does_not_fit_is_refused_by_name(bytes_per_token: float | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await fitted(turns(1, words=5_000), budget=500, engine=Counter(bytes_per_token))
    assert refused.value.param == "messages"
    assert refused.value.code == "context_length_exceeded"
    assert "word" not in str(refused.value)


TOOLS = tuple(Tool(f"tool_{n}", "Finds one.", json.dumps({"description": "word " * 100})) for n in range(4))


@pytest.mark.parametrize("bytes_per_token", [4.0, None], ids=["counted", "estimated"])
async def test_the_tools_that_are_offered_take_room_from_the_conversation(bytes_per_token: float | None) -> None:
    asked, engine = turns(21), Counter(bytes_per_token)
    without = await fitted(asked, budget=2_000, engine=engine)
    beside = await fitted(asked, budget=2_000, engine=engine, tools=TOOLS)
    assert len(beside.turns) < len(without.turns)
    with pytest.raises(InvalidRequest, match="context"):
        await fitted(turns(1), budget=300, engine=engine, tools=TOOLS)


async def test_a_conversation_that_is_to_be_read_whole_is_refused_rather_than_shortened() -> None:
    with pytest.raises(InvalidRequest, match="the conversation is longer") as refused:
        await fitted(turns(201), budget=500, whole=True)
    assert refused.value.code == "context_length_exceeded"
    short = turns(3)
    assert await fitted(short, budget=10_000, whole=True) is short


# --- release ----------------------------------------------------------------------------------------------------------
HEAVY = Criterion("p#heavy", "p", "Does it.", 9, Polarity.MUST)
DUTY = rubric.select([], red_flags=[FLAG], limit=1)[0]


def assessment(
    *, policy: FailurePolicy = FailurePolicy.SAFE_MESSAGE, duty: str = "", shape: Shape | None = None
) -> Assessment:
    enquiry = Enquiry(
        "chat_1",
        Tenant("t", failure_policy=policy),
        Conversation((Message(Role.USER, "q"),)),
        Deadline.after(5),
        shape=shape or Shape(),
    )
    return Assessment(enquiry, (FLAG,) if duty else (), ROUTINE, (), (), duty=duty)


def judged(*presences: tuple[Criterion, bool | None], duty: str = "") -> Judged:
    return Judged(Candidate("Rest.", duty=duty), tuple(Verdict(c, Presence(p)) for c, p in presences))


def let_go(what: Assessment, best: Judged | None, trouble: Reason | None = None) -> release.Release:
    return release.release(what, best, trouble=trouble, duty_id=rubric.DUTY_ID)


def test_an_answer_that_meets_every_weighty_criterion_is_released() -> None:
    left = let_go(assessment(), judged((HEAVY, True)))
    assert (left.outcome, left.text, left.reason, left.finish_reason) == (Outcome.RELEASED, "Rest.", None, "stop")


@pytest.mark.parametrize(
    ("policy", "outcome", "leaks"),
    [
        (FailurePolicy.FAIL_CLOSED, Outcome.WITHHELD, False),
        (FailurePolicy.SAFE_MESSAGE, Outcome.SAFE_MESSAGE, False),
        (FailurePolicy.RELEASE_FLAGGED, Outcome.RELEASED_FLAGGED, True),
    ],
)
def test_an_answer_that_fails_meets_the_tenants_policy(policy: FailurePolicy, outcome: Outcome, leaks: bool) -> None:
    left = let_go(assessment(policy=policy), judged((HEAVY, False)))
    assert (left.outcome, left.reason) == (outcome, Reason.CRITERIA_UNMET)
    assert ("Rest." in left.text) is leaks


@pytest.mark.parametrize("policy", list(FailurePolicy))
@pytest.mark.parametrize(
    "best",
    [None, Judged(Candidate("Rest."), ()), judged((HEAVY, None), (DUTY, None))],
    ids=["none", "no-verdicts", "all-unknown"],
)
def test_what_was_not_judged_never_leaves(policy: FailurePolicy, best: Judged | None) -> None:
    left = let_go(assessment(policy=policy), best, Reason.ENGINE_FAILED)
    assert left.outcome in {Outcome.WITHHELD, Outcome.SAFE_MESSAGE}
    assert left.reason is Reason.ENGINE_FAILED
    assert "Rest." not in left.text


@pytest.mark.parametrize("policy", list(FailurePolicy))
@pytest.mark.parametrize("best", [None, judged((HEAVY, False))], ids=["nothing", "failing"])
def test_the_red_flag_duty_holds_under_every_policy(policy: FailurePolicy, best: Judged | None) -> None:
    with_duty = None if best is None else replace(best, candidate=replace(best.candidate, duty=FLAG.advice))
    assert let_go(assessment(policy=policy, duty=FLAG.advice), with_duty).text.startswith(FLAG.advice)


@pytest.mark.parametrize("policy", list(FailurePolicy))
@pytest.mark.parametrize("present", [True, None], ids=["contradicts", "unknown"])
def test_an_answer_against_the_duty_becomes_the_safe_message(policy: FailurePolicy, present: bool | None) -> None:
    left = let_go(assessment(policy=policy, duty=FLAG.advice), judged((DUTY, present), (HEAVY, True), duty=FLAG.advice))
    assert (left.outcome, left.reason) == (Outcome.SAFE_MESSAGE, Reason.RED_FLAG_CONTRADICTED)
    assert "Rest." not in left.text
    assert left.text.startswith(FLAG.advice)


def test_json_leaves_without_the_dutys_words() -> None:
    best = judged((HEAVY, True), duty=FLAG.advice)
    best = replace(best, candidate=replace(best.candidate, body='{"do":"rest"}'))
    left = let_go(assessment(duty=FLAG.advice, shape=Shape(json_object=True)), best)
    assert left.text == '{"do":"rest"}'


@pytest.mark.parametrize("body", ["Rest.", '{"do":"re', '["rest"]'], ids=["prose", "cut-off", "no-object"])
def test_what_is_not_the_json_that_was_asked_for_leaves_after_the_dutys_words(body: str) -> None:
    best = judged((HEAVY, True), duty=FLAG.advice)
    best = replace(best, candidate=replace(best.candidate, body=body))
    left = let_go(assessment(duty=FLAG.advice, shape=Shape(json_object=True)), best)
    assert left.text == f"{FLAG.advice}\n\n{body}"


def test_a_tool_call_in_place_of_json_leaves_with_the_dutys_words() -> None:
    called = judged((HEAVY, True), duty=FLAG.advice)
    called = replace(called, candidate=replace(called.candidate, body="", tool_calls=(ToolCall("1", "look", "{}"),)))
    left = let_go(assessment(duty=FLAG.advice, shape=Shape(json_object=True)), called)
    assert (left.text, len(left.tool_calls)) == (FLAG.advice, 1)


def test_the_safe_message_speaks_the_persons_language() -> None:
    advised = {file.name.removesuffix(".yaml") for file in (files("service.pipeline.screen") / "advice").iterdir()}
    assert advised <= release.SAFE_MESSAGES.keys()
    spanish = replace(assessment(), language="es")
    assert let_go(spanish, None).text == release.SAFE_MESSAGES["es"]
    assert let_go(replace(assessment(), language="xx"), None).text == release.SAFE_MESSAGES["en"]


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=6), st.sampled_from(list(FailurePolicy)))
def test_released_means_that_every_weighty_criterion_is_met(
    presences: list[bool | None], policy: FailurePolicy
) -> None:
    criteria = [Criterion(f"p#{n}", "p", "Does it.", 9, Polarity.MUST) for n in range(len(presences))]
    left = let_go(assessment(policy=policy), judged(*zip(criteria, presences, strict=True)))
    assert (left.outcome is Outcome.RELEASED) == all(p is True for p in presences)
