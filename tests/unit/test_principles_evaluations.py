"""The two evaluations on a small store and a small folder: what they count, their pages, and their commands."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from principles_store.building import assemble, encode, principle_vectors
from principles_store.encoder import Encoder, Precision
from principles_store.graded import Judged
from principles_store.intervals import Estimate
from principles_store.kinship import families
from principles_store.loading import load_principles
from principles_store.pages import retrieval_page, scenario_page
from principles_store.paths import SHIPPED_PRINCIPLES
from principles_store.plots import draw_ways
from principles_store.retrieval_evaluation import (
    CONSENSUS,
    CONVERSATIONS,
    SERVED,
    TEN_PLACES,
    Equipped,
    Overall,
    RetrievalReport,
    evaluate_retrieval,
    last_said,
    ten_places,
)
from principles_store.scenario_evaluation import FIRST_TURNS, MAPPINGS, evaluate_scenario
from principles_store.schema import Dimension
from principles_store.store import Snapshot
from service.cli.commands import commands
from service.pipeline.evaluation.outside import LABELLED
from tests.principles_fakes import PRINCIPLES, QUERIES, WordEncoder, write_store

ORDERED = tuple(sorted(PRINCIPLES, key=lambda p: p.id))
ENCODER = WordEncoder()
VECTORS = principle_vectors(ORDERED, ENCODER)
ASKED = encode([query.text for query in QUERIES], ENCODER)
STORE = Snapshot(ORDERED, assemble(ORDERED, VECTORS, QUERIES, ASKED))
EMERGENT, CALM = "emergency_referrals:emergent", "emergency_referrals:non-emergent"


ALWAYS, HEART = "uncertainty.none.always", "urgency.emergent.heart"


def serve(messages: Sequence[Mapping[str, str]]) -> list[str]:
    """A service that takes one near principle where the heart is named, and else what always applies."""
    return [ALWAYS, HEART] if "chest" in messages[-1]["content"] + messages[0]["content"] else [ALWAYS]


EQUIPPED = Equipped(STORE, ENCODER, serve)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with conversations and first turns of ours."""
    said = [{"role": "user", "content": "chest pain"}, {"role": "assistant", "content": "?"}]
    asks = {"criterion": "c", "points": 5, "cluster": ["cluster:hedging_any-reducible-uncertainty_seeks_context"]}
    write_rows(tmp_path / CONVERSATIONS, [{"prompt": said, "rubrics": [asks, {"criterion": "d", "points": 1}]}])
    turns = [
        {
            "first_user_turn": f"{'chest pain' if place % 2 else 'explain plain words'} {place}",
            "theme": "emergency_referrals",
            "physician_agreed_category": EMERGENT if place % 2 else CALM,
        }
        for place in range(24)
    ]
    write_rows(tmp_path / FIRST_TURNS, [*turns, {"first_user_turn": "no theme", "theme": None}])
    return tmp_path


def questions() -> list[Judged]:
    texts = {"chest pain": "urgency.emergent.heart", "dose of the tablet": "task_type.treatment.dose"}
    return [Judged("kqa", t, hashlib.sha256(t.encode()).hexdigest(), {name: 3}) for t, name in texts.items()]


def test_what_always_applies_comes_first_and_no_more_than_ten_places_are_filled() -> None:
    ids = ten_places(STORE, "chest pain", ENCODER.encode_one("chest pain"))
    assert ids[:2] == ["uncertainty.none.always", "urgency.emergent.heart"]
    assert len(ids) == len(set(ids)) <= 10


def test_every_way_is_measured_on_both_halves(data: Path) -> None:
    report = evaluate_retrieval(EQUIPPED, questions(), data, other=EQUIPPED)
    assert len({way.name for way in report.ways}) == 8
    assert sum(way.recall10.count for way in report.ways) == 8 * len(questions())
    counted = {cluster.name: cluster.served for cluster in report.clusters if cluster.served and cluster.served.total}
    assert list(counted) == ["hedging_any-reducible-uncertainty_seeks_context"]
    assert [(one.served.count, one.ten.count, one.conversations) for one in report.overall] == [(1, 1, 1)] * 2


def test_what_is_served_is_what_the_service_gives_and_not_what_ten_places_hold(data: Path) -> None:
    report = evaluate_retrieval(EQUIPPED, questions(), data, other=Equipped(STORE, ENCODER, lambda _: [ALWAYS]))
    ways = {(way.name, way.most): way for way in report.ways if way.recall10.count}
    assert {most for name, most in ways if name == TEN_PLACES} == {5}, "all of the small store"
    assert {most for name, most in ways if name == SERVED} <= {1, 2}
    hits = sum(way.recall10.value * way.recall10.count for way in report.ways if way.name == SERVED)
    assert hits == 1, "the dose is not served"
    assert report.agreement is not None
    assert report.agreement_of_ten is not None
    assert (report.agreement.shared.hits, report.agreement.shared.total) == (2, 3)
    assert report.agreement_of_ten.same_set.value == 1.0


def test_a_cluster_is_counted_by_what_its_whole_conversation_is_served(data: Path) -> None:
    asked: list[Sequence[Mapping[str, str]]] = []

    def all_knowing(messages: Sequence[Mapping[str, str]]) -> list[str]:
        asked.append(messages)
        return ["uncertainty.reducible.ask-age"]

    report = evaluate_retrieval(Equipped(STORE, ENCODER, all_knowing), questions(), data, other=None)
    assert [turn["role"] for turn in asked[-1]] == ["user", "assistant"]
    assert [(one.served_hits, one.ten_hits) for one in report.overall] == [(1, 0), (1, 0)]


def small_report(data: Path) -> RetrievalReport:
    return evaluate_retrieval(EQUIPPED, questions(), data, other=EQUIPPED)


def page_of(report: RetrievalReport, folder: Path) -> str:
    retrieval_page(report, folder / "retrieval.md", command="clinalign evaluate retrieval --data FOLDER")
    return (folder / "retrieval.md").read_text(encoding="utf-8")


def test_the_page_says_where_the_outside_check_fails_and_where_it_always_does(data: Path) -> None:
    report = small_report(data)
    chosen = Overall("chosen", Estimate(0.2, 0.1, 0.3, 10), 2, Estimate(0.4, 0.3, 0.5, 10), 4, 9)
    text = page_of(replace(report, overall=(report.overall[0], chosen)), data)
    limits = next(part for part in text.split("\n\n") if part.startswith("**What it can't do.**"))
    assert "The outside check mostly fails where no principle always comes" in limits
    assert "is served in 0.200 (0.100 to 0.300) of cases, 2 of 10; filling ten places would give 0.400" in limits
    assert "Never served: `hedging_any-reducible-uncertainty_seeks_context` (0/1)." in limits


def test_the_page_has_a_row_of_what_is_served_and_how_many_that_are(data: Path) -> None:
    text = page_of(small_report(data), data)
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(f"| {SERVED} |")]
    assert [(row[0].removeprefix("| "), row[3]) for row in rows]
    assert all(row[3] in {"1.0 (at most 1)", "2.0 (at most 2)", "1.5 (at most 2)"} for row in rows)
    assert "(served)" not in text
    assert "Served: int8 has 1.000" in text
    assert "Ten places filled: int8 has 1.000" in text


def test_the_latest_turn_of_the_user_is_what_is_asked() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert last_said(turns) == ["c", "a"]


def test_the_clusters_name_principles_of_the_store_or_say_what_is_lacking() -> None:
    known = {principle.id for principle in load_principles(SHIPPED_PRINCIPLES)}
    always = {principle.id for principle in load_principles(SHIPPED_PRINCIPLES) if principle.always_on}
    clusters = yaml.safe_load(CONSENSUS.read_text(encoding="utf-8"))["clusters"]
    for cluster in clusters.values():
        assert set(cluster["principles"]) <= known
        assert bool(cluster["principles"]) != bool(cluster.get("why"))
        assert bool(cluster.get("always")) == bool(always & set(cluster["principles"]))


def test_scenarios_are_counted_on_families_nobody_chose_by(data: Path) -> None:
    report = evaluate_scenario(ORDERED, VECTORS, QUERIES, ASKED, encoder=ENCODER, folder=data, resamples=20)
    held = report.held_out[Dimension.URGENCY]
    assert sum(map(sum, held.confusion)) == held.macro_f1.count <= len(QUERIES)
    assert report.families == len(set(families(QUERIES)))
    assert [outside.mapped for outside in report.outside] == list(MAPPINGS)
    emergency = report.outside[0]
    assert emergency.area.count + emergency.tuning == 24
    assert emergency.sensitivity.value == emergency.area.value == 1.0


def test_the_page_says_what_is_no_better_than_chance_and_which_levels_are_seldom_read(data: Path) -> None:
    report = evaluate_scenario(ORDERED, VECTORS, QUERIES, ASKED, encoder=ENCODER, folder=data, resamples=20)
    first, *others = report.outside
    areas = Estimate(0.54, 0.34, 0.71, 37), Estimate(0.84, 0.68, 0.96, 42)
    outside = replace(others[0], area=areas[0]), *(replace(one, area=areas[1]) for one in (first, *others[1:]))
    held = dict(report.held_out)
    held[Dimension.URGENCY] = replace(held[Dimension.URGENCY], f1={"emergent": 0.15, "urgent": 0.4, "routine": 0.5})
    for dimension in set(Dimension) - {Dimension.URGENCY}:
        held[dimension] = replace(held[dimension], f1=dict.fromkeys(held[dimension].f1, 0.9))
    scenario_page(replace(report, held_out=held, outside=outside), data / "scenario.md", command="x")
    text = (data / "scenario.md").read_text(encoding="utf-8")
    limits = next(part for part in text.split("\n\n") if part.startswith("**What it can't do.**"))
    assert "Levels of an F1 below 0.5: emergent (urgency, 0.15), urgent (urgency, 0.40)." in limits
    told = "No better than chance, as far as can be told, it tells from outside: "
    assert limits.count("area ") == 1
    assert f"{told}{others[0].mapped.name} (`reducible`, area 0.540 (0.340 to 0.710) over 37 rows)." in limits


def test_a_scenario_that_is_read_well_has_no_such_sentence(data: Path) -> None:
    report = evaluate_scenario(ORDERED, VECTORS, QUERIES, ASKED, encoder=ENCODER, folder=None, resamples=2)
    held = {d: replace(one, f1=dict.fromkeys(one.f1, 0.9)) for d, one in report.held_out.items()}
    scenario_page(replace(report, held_out=held), data / "scenario.md", command="x")
    text = (data / "scenario.md").read_text(encoding="utf-8")
    assert "chance" not in text
    assert "Levels of an F1" not in text


def test_without_a_folder_there_is_no_outside_check() -> None:
    assert evaluate_scenario(ORDERED, VECTORS, QUERIES, ASKED, encoder=ENCODER, folder=None, resamples=2).outside == ()


def test_the_same_plot_is_the_same_file(data: Path) -> None:
    ways = evaluate_retrieval(EQUIPPED, questions(), data, other=None).ways
    one, other = (draw_ways(ways, data / f"{name}.svg").read_bytes() for name in ("one", "other"))
    assert one == other
    assert b"<svg" in one


@pytest.fixture
def shipped_as_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands read the small store with the encoder of words, and labels of ours."""
    write_store(tmp_path)
    queries = {"queries": [query.model_dump() for query in QUERIES]}
    (tmp_path / "queries.yaml").write_text(json.dumps(queries), encoding="utf-8")
    monkeypatch.setenv("CLINALIGN_PRINCIPLES_DIR", str(tmp_path / "principles"))
    monkeypatch.setenv("CLINALIGN_QUERIES_DIR", str(tmp_path / "queries.yaml"))
    # The model's files are the outside world: the tests of the shipped store read the real ones.
    monkeypatch.setattr(Encoder, "load", lambda *_, precision=Precision.FP32, **__: WordEncoder(precision=precision))


@pytest.mark.usefixtures("shipped_as_small")
def test_scenario_writes_its_section_and_nothing_but_json(data: Path) -> None:
    page = data / "out" / "scenario.md"
    result = CliRunner().invoke(commands, ["evaluate", "scenario", "--data", str(data), "--page", str(page), "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert set(content["held_out"]) == {dimension.value for dimension in Dimension}
    counted = {(one["source"], one["half"]): one["outside"]["total"] for one in content["outside_health"]["counted"]}
    assert counted[LABELLED, "tuning"] + counted[LABELLED, "reporting"] == len(QUERIES)
    assert sum(total for (source, _), total in counted.items() if source.startswith("HealthBench")) == 25
    text = page.read_text(encoding="utf-8")
    assert text.startswith("## Scenario\n\n`clinalign evaluate scenario --data FOLDER --page scenario.md`\n")
    assert "\n\n### Questions outside health\n" in text
    assert (page.parent / "scenario-confusion.svg").is_file()


@pytest.mark.usefixtures("shipped_as_small")
def test_retrieval_names_the_file_that_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands, ["evaluate", "retrieval", "--data", str(tmp_path), "--json"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert ".jsonl" in result.stderr


def test_retrieval_writes_its_section(data: Path) -> None:
    report = evaluate_retrieval(EQUIPPED, questions(), data, other=EQUIPPED)
    retrieval_page(report, data / "retrieval.md", command="clinalign evaluate retrieval --data FOLDER")
    text = (data / "retrieval.md").read_text(encoding="utf-8")
    assert text.startswith("## Retrieval\n")
    assert "`clinalign evaluate retrieval --data FOLDER`" in text
    assert "not clinicians" in text
    assert "| **all of these** (1 conversations) | " in text
    assert (data / "retrieval-ways.svg").is_file()
    assert not np.isnan([way.ndcg.value for way in report.ways]).any()
