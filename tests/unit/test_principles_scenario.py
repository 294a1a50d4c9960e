"""The heads' arithmetic: probabilities, fitting, what nearness knows, and files that don't fit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from principles_store.errors import IndexUnusable
from principles_store.scenario import Heads, Near, fit_softmax, known, softmax
from principles_store.schema import LEVELS, Dimension
from principles_store.surface import SURFACE_LENGTH, SURFACE_WIDTH, surface
from tests.principles_fakes import PRINCIPLES, QUERIES, WIDTH, WordEncoder, principle, query

ORDERED = sorted(PRINCIPLES, key=lambda p: p.id)
NOWHERE = Near(np.arange(len(ORDERED)), np.zeros(len(ORDERED), dtype=np.float32))


@pytest.fixture(scope="module")
def heads() -> Heads:
    return Heads.fit(WordEncoder().encode([q.text for q in QUERIES]), QUERIES, ORDERED)


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=st.floats(-500, 500)))
def test_probabilities_are_in_order_of_the_scores_and_sum_to_one(scores: np.ndarray) -> None:
    shares = softmax(scores)
    assert shares.sum(axis=-1) == pytest.approx(np.ones(len(scores)))
    assert (shares >= 0).all()
    order = np.argsort(scores, axis=-1)
    assert (np.diff(np.take_along_axis(shares, order, axis=-1), axis=-1) >= 0).all()


def test_what_can_be_separated_is_separated() -> None:
    features = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    labels = np.repeat(np.arange(3), 4)
    weights = fit_softmax(features, labels, levels=3)
    assert (features @ weights[:, :-1].T + weights[:, -1]).argmax(axis=1).tolist() == labels.tolist()


def test_a_rare_level_weighs_as_much_as_a_common_one() -> None:
    features = np.zeros((20, 2), dtype=np.float32)
    labels = np.array([0] * 18 + [1] * 2)
    weights = fit_softmax(features, labels, levels=2)
    assert softmax(weights[:, -1]) == pytest.approx([0.5, 0.5], abs=0.01)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_fitting_stays_finite_whatever_the_examples(count: int, levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = fit_softmax(
        random.normal(size=(count, 6)).astype(np.float32), random.integers(0, levels, count), levels=levels
    )
    assert np.isfinite(weights).all()


def test_the_heads_read_the_queries_they_were_fitted_on(heads: Heads) -> None:
    for asked in QUERIES:
        told = heads.read(asked.text, WordEncoder().encode([asked.text])[0], NOWHERE)
        assert told.label(Dimension.TASK_TYPE) == asked.task_type


@given(st.text(max_size=80))
def test_every_dimensions_probabilities_sum_to_one(heads: Heads, text: str) -> None:
    told = heads.read(text, WordEncoder().encode([text])[0], NOWHERE)
    for dimension, levels in LEVELS.items():
        assert sum(told.probability(dimension, level) for level in levels) == pytest.approx(1.0, abs=1e-5)


def test_a_principle_near_by_draws_the_reading_to_its_own_level(heads: Heads) -> None:
    place = next(row for row, p in enumerate(ORDERED) if p.level == "emergent")
    vector = np.zeros(WIDTH, dtype=np.float32)
    close, far = (Near(np.array([place, 0]), np.array(scores, dtype=np.float32)) for scores in ([1, 0], [0, 1]))
    emergent = [heads.read("", vector, near).probability(Dimension.URGENCY, "emergent") for near in (close, far)]
    assert emergent[0] > emergent[1]


def test_what_is_known_of_a_principle_nobody_asked_about_is_the_overall_share() -> None:
    asked = [query("a", "task_type.treatment.dose"), query("b", "task_type.treatment.dose", urgency="urgent")]
    table = known(asked, [principle("task_type.support.new")], Dimension.URGENCY)
    assert table[0] == pytest.approx([0.0, 0.5, 0.5])


def test_the_level_of_a_principle_counts_as_one_query_in_its_own_dimension() -> None:
    table = known(
        [query("a", "urgency.urgent.x", urgency="routine")], [principle("urgency.urgent.x")], Dimension.URGENCY
    )
    assert table[0] == pytest.approx([0.0, 1 / 3, 2 / 3])


def test_saved_heads_read_the_same(heads: Heads, tmp_path: Path) -> None:
    heads.save(tmp_path / "heads.npz")
    again = Heads.load(tmp_path / "heads.npz", width=WIDTH, principles=len(ORDERED))
    vector = WordEncoder().encode(["chest pain"])[0]
    assert again.read("chest pain", vector, NOWHERE) == heads.read("chest pain", vector, NOWHERE)


@pytest.mark.parametrize(("width", "principles"), [(WIDTH + 1, len(ORDERED)), (WIDTH, len(ORDERED) + 1)])
def test_heads_fitted_on_something_else_are_refused(heads: Heads, tmp_path: Path, width: int, principles: int) -> None:
    heads.save(tmp_path / "heads.npz")
    with pytest.raises(IndexUnusable, match="fitted on something else"):
        Heads.load(tmp_path / "heads.npz", width=width, principles=principles)


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "heads.npz").write_bytes(b"not an archive")
    with pytest.raises(IndexUnusable, match="clinalign principles build"):
        Heads.load(tmp_path / "heads.npz", width=WIDTH, principles=1)


@given(st.text(max_size=100))
def test_the_shape_of_words_has_one_length_or_none(text: str) -> None:
    vector = surface(text)
    assert vector.shape == (SURFACE_WIDTH,)
    assert float(np.linalg.norm(vector)) == pytest.approx(SURFACE_LENGTH if vector.any() else 0.0, abs=1e-5)


def test_the_shape_of_words_does_not_see_which_digits_they_are() -> None:
    assert (surface("eGFR 28?") == surface("egfr 91?")).all()
    assert (surface("eGFR 28?") != surface("eGFR 28")).any()
