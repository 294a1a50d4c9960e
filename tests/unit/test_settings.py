"""Names that nothing reads: a slip in a variable or a key stops the start, and is told with what was meant."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from principles_store.paths import PACKAGE
from service.cli.commands import commands
from service.domain.enquiry import FailurePolicy
from service.domain.errors import SettingsError
from service.settings import OTHER_VARIABLES, Settings, read_settings, refuse_strangers

ROOT = PACKAGE.parent
READERS = ("service", "principles_store", "training", "loadtests", "tests", "helm", "requirements")
SUFFIXES = {".py", ".tpl", ".yaml", ".toml", ".mk", ".sh"}
# Slips that a test of this file makes.
SLIPS = {"CLINALIGN_FAILURE_POLCY", "CLINALIGN_ENCODR_DIR", "CLINALIGN_COLOUR", "CLINALIGN_INDX_DIR"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CLINALIGN_FAILURE_POLCY", "is it CLINALIGN_FAILURE_POLICY?"),
        ("clinalign_encodr_dir", "is it CLINALIGN_ENCODER_DIR?"),
        ("CLINALIGN_COLOUR", "see `clinalign settings`"),
    ],
)
def test_a_variable_that_nothing_reads_is_refused_with_what_may_be_meant(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "fail_closed")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert str(refused.value) == f"{name}: no such setting: {said}"


def test_principles_are_not_written_where_a_misspelt_folder_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINALIGN_INDX_DIR", "elsewhere")
    refused = CliRunner().invoke(commands, ["principles", "build"])
    assert isinstance(refused.exception, SettingsError)
    assert "CLINALIGN_INDEX_DIR" in str(refused.exception)


def test_a_setting_in_any_case_and_a_part_of_one_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("clinalign_failure_policy", "fail_closed")
    monkeypatch.setenv("CLINALIGN_CHAT_TEMPLATE_KWARGS__enable_thinking", "false")
    settings = read_settings()
    assert settings.failure_policy is FailurePolicy.FAIL_CLOSED
    assert settings.chat_template_kwargs.keys() == {"enable_thinking"}


def test_a_key_of_the_toml_file_that_is_no_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.toml").write_text('failure_polcy = "fail_closed"\n')
    monkeypatch.setenv("CLINALIGN_CONFIG", str(tmp_path / "c.toml"))
    with pytest.raises(SettingsError, match="failure_polcy"):
        read_settings()


def named() -> Iterator[tuple[str, Path]]:
    for folder in READERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in SUFFIXES and path.is_file():
                for name in re.findall(r"\bCLINALIGN_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")):
                    yield name, path


def test_every_variable_that_anything_of_ours_names_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict(named())
    known = OTHER_VARIABLES | {f"CLINALIGN_{name.upper()}" for name in Settings.model_fields}
    assert {name: path for name, path in found.items() if name not in known | SLIPS} == {}
    assert found.keys() >= OTHER_VARIABLES
    for name in OTHER_VARIABLES - {"CLINALIGN_CONFIG"}:
        monkeypatch.setenv(name, "x")
    refuse_strangers()
