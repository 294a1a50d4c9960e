"""The command beside each table of docs/evaluation.md is the one that `make evaluate DATA=FOLDER` runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from principles_store.typed import of_data, of_page, typed
from service.cli import applying, evaluations, judging, redflags, retrieving, scenarios
from service.cli.commands import evaluate
from service.judge_evaluation.command import JudgeKind

ROOT = Path(__file__).parent.parent.parent
SECTIONS = Path("build/evaluation")
LABELS, META = Path("kqa_nli_physician_labels.jsonl"), Path("healthbench_meta_100_reconstructed.jsonl")


def made() -> dict[str, str]:
    """What the recipe runs, by section, with the folder of the data as a page names it; without a separate judge."""
    recipe = (ROOT / "requirements" / "evaluate.mk").read_text(encoding="utf-8")
    runs = re.findall(r"\$\(BIN\)/(clinalign evaluate (\w+) .*)", recipe.replace(" $(SEPARATE)", ""))
    said = {name: run.replace("$(DATA)", "FOLDER").replace("$(SECTIONS)", str(SECTIONS)) for run, name in runs}
    assert len(said) == 7
    return said


@pytest.fixture
def printed(tmp_path: Path) -> dict[str, str]:
    """What the commands print beside their tables when they run so."""
    page = {name: SECTIONS / f"{name}.md" for name in made()}
    rates = ("--trials", 20000), ("--seed", 2), ("--guide", "0.40,0.13"), ("--accept", "0.30,0.11")
    attacks = ("--data", of_data(tmp_path / "promptinjection_garak.jsonl.gz"))
    judges = [JudgeKind.SMALL, JudgeKind.SELF]
    return {
        "redflags": redflags._command(tmp_path, None, [], None, page["redflags"], without_head=False),
        "scenario": scenarios._command(tmp_path, page["scenario"]),
        "retrieval": retrieving._command(tmp_path, page["retrieval"], compare_int8=True),
        "applies": applying._command(tmp_path, page["applies"]),
        "judge": judging._command(tmp_path / LABELS, judges, [tmp_path / META], page["judge"], most=None),
        "acceptance": evaluations._command("acceptance", *rates, page=page["acceptance"]),
        "attacks": evaluations._command("attacks", attacks, page=page["attacks"]),
    }


def test_what_is_printed_is_what_make_runs(printed: dict[str, str]) -> None:
    assert printed == made()


@pytest.mark.parametrize("name", ["redflags", "scenario", "retrieval", "applies", "judge", "acceptance", "attacks"])
def test_what_is_printed_is_a_command_that_is_understood(name: str) -> None:
    words = shlex.split(made()[name])[2:]
    assert {word for word in words if word.startswith("--")} <= options_of(words[0])


def options_of(name: str) -> set[str]:
    group = typer.main.get_command(evaluate)
    assert isinstance(group, typer.core.TyperGroup)
    return {option for parameter in group.commands[name].params for option in parameter.opts}


def test_a_command_is_printed_by_what_it_ran_on_and_by_no_path_of_this_machine(tmp_path: Path) -> None:
    page = tmp_path / "acceptance.md"
    run = CliRunner().invoke(evaluate, ["acceptance", "--trials", "100", "--page", str(page)])
    assert run.exit_code == 0, run.output
    said = page.read_text(encoding="utf-8")
    assert "clinalign evaluate acceptance --trials 100 --seed 2 --guide 0.40,0.13" in said
    assert str(tmp_path) not in said


def test_every_section_that_is_made_is_on_the_page_and_the_page_claims_no_more_than_holds() -> None:
    recipe = (ROOT / "requirements" / "evaluate.mk").read_text(encoding="utf-8")
    order = re.search(r"^ORDER := (.*)$", recipe, re.MULTILINE)
    assert order is not None
    assert order[1].split() == list(made())
    assert "Nothing was fitted on rows that are called reported" in recipe
    assert "fitted or chosen" not in recipe
    assert "where a choice followed an earlier count of them, the section says so" in recipe


def test_options_that_were_not_given_are_not_printed(tmp_path: Path) -> None:
    options = (
        ("--data", of_data(tmp_path / "my rows.jsonl")),
        ("--every", None),
        ("--json", ""),
        ("--page", of_page(None)),
    )
    assert typed("clinalign x", *options) == "clinalign x --data 'FOLDER/my rows.jsonl' --json"
