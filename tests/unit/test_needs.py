"""What a test needs and lacks: a skip that says so on a desk, a failure in CI."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import in_ci, needs, program, required

ROOT = Path(__file__).parents[2]
MISSING = "no such thing: run `make thing`"


@pytest.fixture(params=["true", "1"])
def ci(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", request.param)


@pytest.fixture(params=[None, "", "0", "false"])
def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    if request.param is not None:
        monkeypatch.setenv("CI", request.param)


def test_on_a_desk_a_missing_thing_skips_and_says_what_is_not_tested(desk: None) -> None:
    with pytest.raises(pytest.skip.Exception, match=f"^NOT TESTED: {MISSING}$"):
        required(None, MISSING)


def test_in_ci_a_missing_thing_fails(ci: None) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"{MISSING}$"):
        required(None, MISSING)


@pytest.mark.usefixtures("ci")
def test_what_is_present_is_used_everywhere() -> None:
    required(Path("anywhere"), MISSING)
    assert Path(program("sh")).is_file()


def test_a_program_that_is_missing_is_named(ci: None) -> None:
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        program("no-such-program")


MARKED = f"""
import pytest
from tests.needs import needs

@pytest.fixture(scope="module")
def costly():
    raise AssertionError("made for nothing")

@needs(present=False, reason={MISSING!r})
def test_marked(costly):
    raise AssertionError("ran without what it needs")

@needs(present=True, reason={MISSING!r})
def test_that_has_it():
    pass
"""


@pytest.mark.parametrize(
    ("given", "ended", "told"),
    [("true", 1, "1 passed, 1 error"), ("false", 0, "1 passed, 1 skipped")],
    ids=["CI", "desk"],
)
def test_a_mark_is_read_by_pytest_before_a_fixture_is_made(given: str, ended: int, told: str, tmp_path: Path) -> None:
    file = tmp_path / "test_marked.py"
    file.write_text(MARKED)
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-rs",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tests.conftest",
        str(file),
    ]
    environment = {**os.environ, "CI": given, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == ended, ran.stdout + ran.stderr
    assert told in ran.stdout
    assert MISSING in ran.stdout
    assert "made for nothing" not in ran.stdout


def test_our_ci_says_that_it_is_one_before_any_test_runs() -> None:
    lines = [line.partition(" #")[0] for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    first = next(at for at, line in enumerate(lines) if line.startswith("make test"))
    assert "export CI=true" in lines[:first]


def test_our_ci_installs_what_make_test_needs_before_it() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    before = text[: text.index("\nmake test\n")]
    assert set(re.findall(r"install[a-z-]*|[a-z]+-install", before)) >= {"install", "install-align", "vllm-install"}
    assert {"redis-server", "chromium"} <= set(before.split())


def test_no_test_skips_for_what_is_missing_but_through_this() -> None:
    """But pyarrow's absence is wanted by one test, which its presence skips."""
    ways = re.compile(r"importorskip|pytest\.skip\(|mark\.skip|unittest\.skip")
    found = [
        f"{path.relative_to(ROOT)}:{at}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path.name not in {"needs.py", "test_needs.py"}
        for at, line in enumerate(path.read_text().splitlines(), 1)
        if ways.search(line) and 'find_spec("pyarrow") is not None' not in line
    ]
    assert found == []


def test_the_mark_holds_a_truth_and_a_reason() -> None:
    mark = needs(Path("anywhere"), MISSING).mark
    assert (mark.name, mark.args) == ("needs", (True, MISSING))
    assert isinstance(in_ci(), bool)
