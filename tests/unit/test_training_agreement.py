from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from service.domain.completion import TokenProbability
from service.domain.conversation import Message, Role
from training.agreement.asks import Ask, Kind, asks
from training.agreement.compare import Reference, compare
from training.agreement.engines import Said
from training.agreement.page import page

DRAFT = Ask(Kind.DRAFT, (Message(Role.USER, "hello"),), 9)
VERDICT = Ask(Kind.VERDICT, (Message(Role.USER, "is it there?"),), 1)


def _said(text: str, yes: float = 0.5) -> Said:
    return Said(text, (TokenProbability("Yes", yes), TokenProbability("No", 1 - yes)))


@dataclass(frozen=True)
class Engine:
    """Says what it is given, and would have said every token but those that it is told to miss."""

    replies: dict[Kind, Said]
    missed: int = 0
    name: str = "fake float32"
    asked: list[Kind] = field(default_factory=list)

    async def reply(self, ask: Ask) -> Said:
        self.asked.append(ask.kind)
        return self.replies[ask.kind]

    async def forced(self, prompt: Sequence[int], reply: Sequence[int]) -> list[bool]:
        return [at >= self.missed for at in range(len(reply))]


REFERENCES = (Reference((1,), tuple(range(1000)), _said("Rest.")), Reference((1,), (7,), _said("Yes", 0.9)))


async def _compared(engine: Engine) -> dict[str, object]:
    return (await compare(engine, (DRAFT, VERDICT), REFERENCES)).as_dict()


async def test_an_engine_that_says_the_same_agrees_and_its_verdicts_are_told() -> None:
    engine = Engine({Kind.DRAFT: _said("Rest."), Kind.VERDICT: _said("Yes", 0.8)})
    found = await _compared(engine)
    assert found["agrees"] is True
    assert found["largest_difference_of_a_verdict"] == pytest.approx(0.1)
    assert engine.asked == [Kind.DRAFT, Kind.VERDICT]


@pytest.mark.parametrize(("missed", "agrees"), [(2, True), (3, False)], ids=["4 of 1,001", "6 of 1,001"])
async def test_other_texts_are_borne_while_enough_tokens_are_the_same(missed: int, agrees: bool) -> None:
    engine = Engine({Kind.DRAFT: _said("Go."), Kind.VERDICT: _said("Yes", 0.9)}, missed=2 * missed)
    assert (await _compared(engine))["agrees"] is agrees


async def test_a_verdict_that_only_one_of_them_gives_is_as_far_away_as_can_be() -> None:
    engine = Engine({Kind.DRAFT: _said("Rest."), Kind.VERDICT: Said("Yes", ())})
    assert (await _compared(engine))["largest_difference_of_a_verdict"] == 1.0


async def test_an_engine_that_was_asked_nothing_does_not_agree() -> None:
    assert not (await compare(Engine({}), (), ())).holds


def test_asks_are_the_same_each_time_and_of_every_kind() -> None:
    assert asks(6) == asks(6)
    assert {ask.kind for ask in asks(6)} == set(Kind)
    assert sum(ask.kind is Kind.DRAFT for ask in asks(6)) == 6


async def test_the_page_has_a_row_for_each_engine() -> None:
    found = await _compared(Engine({Kind.DRAFT: _said("Rest."), Kind.VERDICT: _said("Yes", 0.9)}))
    figures = {"command": "run me", "dialogues": 1, "model_sha256": "ab" * 32, "engines": [found], "agree": True}
    written = page(figures, checkpoint="demo", digest="sha256-cd")
    assert written.startswith("# ")
    assert "On `demo` (`sha256-cd`) vLLM, llama.cpp and transformers **agree**." in written
    assert "**do not agree**" in page({**figures, "agree": False}, checkpoint="demo", digest="sha256-cd")
    assert "| fake float32 | 1 of 1 (" in written
    assert "1001 of 1001" in written
