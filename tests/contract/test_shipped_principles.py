"""The principles that ship: valid, whole, and found by the real encoder as well as the documentation says."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from principles_store.building import open_built
from principles_store.encoder import Encoder, Precision
from principles_store.errors import IndexUnusable
from principles_store.evaluation import Report, evaluate
from principles_store.loading import load_principles, load_queries
from principles_store.paths import PACKAGE, SHIPPED_PRINCIPLES, SHIPPED_QUERIES, Places
from principles_store.schema import Dimension, Polarity, RedFlagFamily
from principles_store.store import PrinciplesStore
from principles_store.validate import SHIPPED_COUNT, validate
from tests.shipped_store import needs_encoder

PRINCIPLES = load_principles(SHIPPED_PRINCIPLES)
QUERIES = load_queries(SHIPPED_QUERIES)
SCREENED = PACKAGE.parent / "service" / "pipeline" / "screen" / "families"


@cache
def encoder(precision: Precision = Precision.FP32) -> Encoder:
    return Encoder.load(Places.from_environment().encoder, precision=precision)


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(
        PRINCIPLES,
        QUERIES,
        encoder=encoder(),
        other=encoder(Precision.INT8),
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped") / "index"
    shutil.copytree(Places.from_environment().index, folder)  # `make install` has built it; opened, it must match
    return folder


@pytest.fixture(scope="module")
def store(index: Path) -> PrinciplesStore:
    return PrinciplesStore.open(SHIPPED_PRINCIPLES, Places.from_environment().encoder, index)


def test_there_are_119_and_nothing_is_to_be_mended() -> None:
    assert validate(PRINCIPLES, queries=QUERIES, expected=SHIPPED_COUNT).faults == ()


def test_every_level_of_every_dimension_has_a_principle() -> None:
    assert min(validate(PRINCIPLES).coverage.values()) >= 1


def test_every_red_flag_family_brings_in_a_principle() -> None:
    covered = {family for principle in PRINCIPLES for family in principle.red_flag_families}
    assert covered == set(RedFlagFamily)


def test_every_family_that_the_screen_can_raise_brings_in_a_principle() -> None:
    covered = {family.value for principle in PRINCIPLES for family in principle.red_flag_families}
    raised = {family.stem for family in SCREENED.glob("*.yaml") if len(family.stem) > 2}  # two letters: a language
    assert len(raised) > 20
    assert raised <= covered


def test_every_principle_names_its_evidence_and_claims_no_review() -> None:
    assert all(p.evidence and p.review_status == "not_clinician_reviewed" for p in PRINCIPLES)


def test_every_principle_has_labelled_queries() -> None:
    assert {query.principle for query in QUERIES} == {principle.id for principle in PRINCIPLES}


def test_there_are_musts_and_must_nots() -> None:
    polarities = [criterion.polarity for principle in PRINCIPLES for criterion in principle.criteria]
    assert 0.5 < polarities.count(Polarity.MUST) / len(polarities) < 0.9


@needs_encoder
@pytest.mark.timeout(400)  # the heads are fitted five times over
class TestWithTheEncoder:
    def test_no_two_statements_say_the_same(self) -> None:
        assert validate(PRINCIPLES, encoder=encoder()).faults == ()

    def test_what_stands_beyond_the_last_token_is_not_read(self) -> None:
        long = "pain " * 256
        assert encoder().encode([long]) == pytest.approx(encoder().encode([long + "chest " * 50]), abs=1e-5)

    # The floors lie under the lower ends of the intervals that `clinalign principles evaluate` prints.
    FLOORS = (
        ("recall@5", lambda report: report.found.recall[5].value, 0.65),
        ("recall@10", lambda report: report.found.recall[10].value, 0.77),
        ("urgency", lambda report: report.readings[Dimension.URGENCY].macro_f1, 0.57),
        ("uncertainty", lambda report: report.readings[Dimension.UNCERTAINTY].macro_f1, 0.50),
        ("expertise", lambda report: report.readings[Dimension.EXPERTISE].macro_f1, 0.88),
        ("task type", lambda report: report.readings[Dimension.TASK_TYPE].macro_f1, 0.53),
        ("int8 shares", lambda report: report.agreement.shared.value, 0.90),
    )

    @pytest.mark.slow
    @pytest.mark.parametrize(("measure", "floor"), [row[1:] for row in FLOORS], ids=[row[0] for row in FLOORS])
    def test_what_is_measured_stays_above_its_floor(
        self, report: Report, measure: Callable[[Report], float], floor: float
    ) -> None:
        assert measure(report) >= floor

    def test_a_question_about_a_car_is_told_from_one_about_a_heart(self, store: PrinciplesStore) -> None:
        car, heart = (
            store.consult(text, limit=1).topic.health
            for text in ("The gearbox whines in third.", "my heart keeps racing at night")
        )
        assert heart > 0.5
        assert car < -0.5

    def test_the_index_refuses_the_other_precision(self, index: Path) -> None:
        with pytest.raises(IndexUnusable, match="clinalign principles build"):
            open_built(index, principles=PRINCIPLES, encoder=encoder(Precision.INT8))
