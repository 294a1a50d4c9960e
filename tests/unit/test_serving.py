"""What is served to be measured is what the service takes: few of the near ones, and what red flags bring in."""

import asyncio
from pathlib import Path

import pytest

from principles_store.topic import load_topics
from service.cli.retrieving import _equipped, serve_with
from service.domain.conversation import Message, Role
from service.pipeline.evaluation.serving import Serving
from service.pipeline.principles import StoredPrinciples
from service.pipeline.retrieve import Nearness
from service.pipeline.screen import Screen
from tests.principles_fakes import DOSE_WORDS, QUERIES, WordEncoder, principle, small_store
from tests.screen_fakes import head_of

ALWAYS = principle("uncertainty.none.always", applies_when="any question at all", always_on=True)
NEAR = [principle(f"task_type.treatment.dose{number}", applies_when=DOSE_WORDS) for number in range(9)]
FLAGGED = principle("urgency.emergent.torsion", applies_when="somewhere else", red_flag_families=["torsion"])


def served(folder: Path, text: str, screen: Screen) -> list[str]:
    store = small_store(folder, [ALWAYS, FLAGGED, *NEAR])
    with asyncio.Runner() as runner:
        return list(serve_with(store, screen, runner)([{"role": "user", "content": text}]))


def test_of_many_near_ones_only_as_many_are_served_as_the_service_takes(tmp_path: Path) -> None:
    ids = served(tmp_path, DOSE_WORDS, Screen())
    assert ids[0] == ALWAYS.id
    assert len(ids) == 1 + Nearness().most < 1 + len(NEAR)


def test_what_is_near_and_not_near_enough_is_not_served(tmp_path: Path) -> None:
    assert served(tmp_path, "zebra xylophone quagmire unicorn", Screen()) == [ALWAYS.id]


@pytest.mark.parametrize(("screen", "brought_in"), [(Screen(head=head_of()), True), (Screen(), False)])
def test_what_the_heads_flag_brings_in_is_served(tmp_path: Path, screen: Screen, *, brought_in: bool) -> None:
    assert (FLAGGED.id in served(tmp_path, "my lantern glows strangely", screen)) is brought_in


def test_the_store_that_is_measured_has_the_topics_of_the_one_that_is_built() -> None:
    with asyncio.Runner() as runner:
        equipped = _equipped([ALWAYS, *NEAR], QUERIES, WordEncoder(), Screen(), runner)
        assert len(equipped.store.built.topic.vectors) == len(load_topics()) + len(QUERIES)
        assert equipped.serve([{"role": "user", "content": DOSE_WORDS}])[0] == ALWAYS.id


async def test_another_nearness_is_heeded(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path, [ALWAYS, FLAGGED, *NEAR]))
    generous = Serving(store, Screen(), nearness=Nearness(relevance=-9.0, most=7))
    assessed = await generous.assess([Message(Role.USER, DOSE_WORDS)])
    assert len(assessed.principles) == 1 + 7
