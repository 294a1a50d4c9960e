"""Padding does not turn a question about health into one about something else, and a car stays a car."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from principles_store.paths import Places
from principles_store.store import PrinciplesStore
from service.domain.assessment import Notice
from service.domain.completion import Completion, Usage
from service.domain.conversation import Conversation, Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Enquiry, Tenant
from service.pipeline.judge import ModelJudge
from service.pipeline.orchestrator import Limits, Orchestrator
from service.pipeline.principles import StoredPrinciples
from service.pipeline.screen import Screen
from tests.fakes import FakeEngine
from tests.shipped_store import needs_encoder

TEXTS: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parent / "padded_questions.yaml").read_text(encoding="utf-8")
)
pytestmark = needs_encoder


@pytest.fixture(scope="module")
def pipeline() -> Orchestrator:
    places = Places.from_environment()
    store = PrinciplesStore.open(places.principles, places.encoder, places.index)
    engine = FakeEngine(lambda _: Completion("", "stop", Usage()))
    return Orchestrator(Screen(), StoredPrinciples(store), engine, ModelJudge(engine, "self"), Limits(), "0")


def elsewhere(pipeline: Orchestrator, texts: Sequence[str]) -> list[str]:
    """Those of the texts that are read as having nothing to do with health."""

    async def read(text: str) -> bool:
        conversation = Conversation((Message(Role.USER, text),))
        assessment = await pipeline.assess(Enquiry("chat_1", Tenant("t"), conversation, Deadline.after(60)))
        return Notice.OUTSIDE_HEALTH in assessment.notices

    return [text for text in texts if asyncio.run(read(text))]


@pytest.mark.parametrize("padding", TEXTS["padding"], ids=lambda text: text[:24])
def test_padding_on_either_side_leaves_a_question_about_health(pipeline: Orchestrator, padding: str) -> None:
    padded = [text for q in TEXTS["questions"] for text in (f"{q}\n\n{padding}", f"{padding}\n\n{q}")]

    assert elsewhere(pipeline, padded) == []


@pytest.mark.parametrize("padding", TEXTS["padding"], ids=lambda text: text[:24])
def test_padding_without_a_mark_between_words_hides_no_question_either(pipeline: Orchestrator, padding: str) -> None:
    padded = [unmarked(text) for q in TEXTS["questions"] for text in (f"{q} {padding}", f"{padding} {q}")]

    assert elsewhere(pipeline, padded) == []


def unmarked(text: str) -> str:
    """The words alone, in a row."""
    return " ".join(re.findall(r"[\w']+", text))


def test_a_text_about_something_else_stays_one_whatever_its_sentences_say(pipeline: Orchestrator) -> None:
    assert elsewhere(pipeline, TEXTS["elsewhere"]) == TEXTS["elsewhere"]
