"""`clinalign principles ...`: exit status, and nothing but JSON on stdout with --json."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from principles_store.cli import commands
from principles_store.encoder import Encoder, Precision
from principles_store.loading import load_principles
from principles_store.paths import SHIPPED_PRINCIPLES, Places
from principles_store.writing import write_principles
from service.app import _store
from service.domain.errors import SettingsError
from service.settings import read_settings
from tests.principles_fakes import PRINCIPLES, QUERIES, WordEncoder, principle, write_store


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small store named by the environment, read with the encoder of words."""
    write_store(tmp_path)
    queries = {"queries": [query.model_dump() for query in QUERIES]}
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "all.yaml").write_text(json.dumps(queries), encoding="utf-8")
    for name in ("principles", "queries", "index", "encoder"):
        monkeypatch.setenv(f"CLINALIGN_{name.upper()}_DIR", str(tmp_path / name))
    # The model's files are the outside world: the tests of the shipped store read the real ones.
    monkeypatch.setattr(Encoder, "load", lambda *_, precision=Precision.FP32, **__: WordEncoder(precision=precision))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, list(arguments))


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_gives_every_principle(places: Path) -> None:
    assert told("list")["count"] == len(PRINCIPLES)


def test_list_can_be_narrowed(places: Path) -> None:
    found = told("list", "--dimension", "urgency", "--level", "emergent")["principles"]
    assert [entry["id"] for entry in found] == ["urgency.emergent.heart"]


def test_show_gives_the_whole_principle(places: Path) -> None:
    assert told("show", "task_type.treatment.dose")["criteria"][0]["weight"] == 7


def test_show_of_an_unknown_id_says_so_and_exits_1(places: Path) -> None:
    result = run("show", "urgency.urgent.gone", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "urgency.urgent.gone" in result.stderr


def test_search_gives_scenario_and_principles(places: Path) -> None:
    found = told("search", "which dose of this medicine", "--limit", "2", "--family", "cardiac")
    assert found["nearest"][0]["id"] == "task_type.treatment.dose"
    assert [entry["id"] for entry in found["flagged"]] == ["urgency.emergent.heart"]
    assert set(found["scenario"]) == {"urgency", "uncertainty", "expertise", "task_type"}


def test_search_with_a_stale_index_names_the_command_that_mends_it(places: Path) -> None:
    write_principles([principle("urgency.urgent.new")], places / "principles")
    result = run("search", "dose")
    assert result.exit_code == 1
    assert "clinalign principles build" in result.stderr


def test_build_mends_it(places: Path) -> None:
    write_principles([principle("urgency.urgent.new")], places / "principles")
    assert len(told("build")["ids"]) == len(PRINCIPLES) + 1
    assert run("search", "dose").exit_code == 0


def test_what_is_built_by_the_environments_precision_is_what_the_gateway_opens(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINALIGN_ENCODER_PRECISION", "int8")
    assert told("build")["precision"] == "int8"
    assert _store(read_settings()).encoder.precision is Precision.INT8
    assert run("search", "dose").exit_code == 0
    assert told("build", "--precision", "fp32")["precision"] == "fp32"


def test_what_is_built_by_the_toml_file_is_what_the_gateway_opens(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("principles", "index", "encoder"):
        monkeypatch.delenv(f"CLINALIGN_{name.upper()}_DIR")
    (tmp_path / "c.toml").write_text(
        f'encoder_precision = "int8"\nprinciples_dir = "{places}/principles"\nindex_dir = "{places}/other"\n'
    )
    monkeypatch.setenv("CLINALIGN_CONFIG", str(tmp_path / "c.toml"))
    told("build")
    assert (places / "other" / "manifest.json").is_file()
    assert _store(read_settings()).encoder.precision is Precision.INT8


@pytest.mark.parametrize("built", Precision)
def test_an_index_of_another_precision_is_refused_with_the_command_that_mends_it(
    built: Precision, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("build", "--precision", built)
    other = next(each for each in Precision if each is not built)
    monkeypatch.setenv("CLINALIGN_ENCODER_PRECISION", other)
    with pytest.raises(SettingsError, match=f"`clinalign principles build --precision {other}`"):
        _store(read_settings())


@pytest.mark.parametrize("command", ["list", "validate", "build", "evaluate"])
@pytest.mark.parametrize(
    ("written", "said"),
    [("encoder_precision =", "cannot be read as TOML"), ('encoder_precision = "int4"', "'int4' is none of fp32, int8")],
    ids=["no-toml", "no-precision"],
)
def test_a_toml_file_that_cannot_be_used_is_refused_in_a_line(
    command: str, written: str, said: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "c.toml").write_text(written)
    monkeypatch.setenv("CLINALIGN_CONFIG", str(places / "c.toml"))
    result = run(command)
    assert (result.exit_code, said in result.stderr) == (1, True)


def test_validate_passes_a_sound_store(places: Path) -> None:
    assert told("validate", "--expected", "0") == {
        **told("validate", "--expected", str(len(PRINCIPLES))),
        "passed": True,
    }


def test_validate_takes_any_number_of_principles_that_are_not_the_shipped(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told("validate")["passed"]
    short = load_principles(SHIPPED_PRINCIPLES)[1:]
    monkeypatch.setattr("principles_store.cli.load_principles", lambda _: short)
    result = run("validate", "--principles", str(SHIPPED_PRINCIPLES), "--without-encoder")
    assert result.exit_code == 1
    assert "expected 119" in result.stdout


def test_validate_exits_1_and_tells_the_faults(places: Path) -> None:
    result = run("validate", "--expected", "119", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["faults"][0]["message"] == "holds 5 principles, expected 119"


def test_validate_tells_files_that_do_not_fit_as_json_too(places: Path) -> None:
    (places / "principles" / "broken.yaml").write_text("principles: 7", encoding="utf-8")
    result = run("validate", "--json")
    assert result.exit_code == 1
    assert any("broken.yaml" in fault for fault in json.loads(result.stdout)["faults"])


def test_validate_can_do_without_the_encoder_and_says_what_it_left_out(places: Path) -> None:
    assert told("validate", "--expected", "0", "--without-encoder")["near_duplicates_checked"] is False


def test_validate_of_other_principles_does_not_ask_for_the_shipped_queries(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLINALIGN_QUERIES_DIR")
    assert told("validate", "--expected", "0")["passed"]


def test_import_writes_our_schema_and_reports(places: Path) -> None:
    source = places / "official.json"
    entry = {"name": "Act fast", "principle": "Say to call now.", "dimension": "urgency", "level": "emergent"}
    source.write_text(json.dumps([entry, {"principle": "?", "dimension": "mood"}]), encoding="utf-8")
    report = told("import", str(source), "--out", str(places / "out"))
    assert (report["imported"], len(report["left"])) == (1, 1)
    assert told("list", "--principles", str(places / "out"))["count"] == 1
    again = run("import", str(source), "--out", str(places / "out"))
    assert again.exit_code == 1
    assert "--force" in again.stderr


def test_evaluate_reports_every_measure(places: Path) -> None:
    report = told("evaluate")
    assert set(report) == {"found", "readings", "latency", "agreement", "principles", "queries"}
    assert report["agreement"]["same_set"]["hits"] == len(QUERIES)


COMMANDS = {
    "list": ["list"],
    "show": ["show", "urgency.emergent.heart"],
    "search": ["search", "chest [pain]"],
    "validate": ["validate", "--expected", "0"],
    "build": ["build"],
    "evaluate": ["evaluate"],
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_without_json_a_table_is_printed(places: Path, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "│" in result.stdout


def test_square_brackets_in_a_principle_are_printed_as_they_stand(places: Path) -> None:
    write_principles([principle("urgency.urgent.new", title="Say [bold]now[/bold]")], places / "principles")
    assert "[bold]now[/bold]" in run("show", "urgency.urgent.new").stdout


def test_places_come_from_the_environment_and_stand_beside_the_packages_otherwise() -> None:
    assert Places.from_environment({}) == Places()
    assert Places.from_environment({"CLINALIGN_INDEX_DIR": "/x"}).index == Path("/x")
    assert Places().encoder.parent.name == "build"
