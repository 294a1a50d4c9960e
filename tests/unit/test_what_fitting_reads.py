"""What the builds open: the package's own texts, the encoder and their output, and no row of anybody's data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from principles_store.graded import LABELS

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow
BUILDS = pytest.mark.parametrize("command", [("screen", "build"), ("principles", "build")], ids=" ".join)


def built(command: tuple[str, ...], out: Path, *, planted: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which ends at the first file that it may not read."""
    places = {"AUDITED_OUT": out, "CLINALIGN_SCREEN_DIR": out / "screen", "CLINALIGN_INDEX_DIR": out / "index"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{name: str(path) for name, path in places.items()}}
    if planted is not None:
        environment["AUDITED_PLANTED"] = str(planted)
    script = [sys.executable, str(ROOT / "tests" / "audited_build.py"), *command]
    return subprocess.run(script, env=environment, capture_output=True, text=True, timeout=110, check=False)


@BUILDS
def test_a_build_reads_the_package_and_the_encoder_and_nothing_else(command: tuple[str, ...], tmp_path: Path) -> None:
    run = built(command, tmp_path)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / ("screen" if command[0] == "screen" else "index") / "manifest.json").is_file()


@BUILDS
@pytest.mark.parametrize("planted", ["a file of rows", "labels that are reported on"])
def test_a_planted_reader_ends_it(command: tuple[str, ...], planted: str, tmp_path: Path) -> None:
    (rows := tmp_path / "rows.jsonl").write_text("{}")
    (out := tmp_path / "out").mkdir()
    read = rows if planted == "a file of rows" else LABELS
    run = built(command, out, planted=read)
    assert run.returncode == 3
    assert f"read: {read.resolve()}" in run.stderr
