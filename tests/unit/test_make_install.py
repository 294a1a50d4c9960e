"""`make install` builds each thing once, and again only what a change asks for.

The Makefile is the tree's own. What it calls is stood in for by a script that writes down how it was called and makes
the files that the real one would.
"""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STANDS_IN = r"""#!/bin/bash
set -eu
echo "$(basename "$0") $*" >> calls
made() { mkdir -p "$(dirname "$1")"; echo made > "$1"; }
case "$(basename "$0") $*" in
    *"-m venv "*) mkdir -p "$3/bin"; for name in python pip clinalign; do cp "$0" "$3/bin/$name"; done;;
    *encoder_export*) made build/encoder/encoder.json;;
    *training.gguf*) made "$4";;
    *"principles build") made build/index/manifest.json;;
    *"screen build") made build/screen/manifest.json;;
esac
"""
BYTECODE = "python -m compileall -q service principles_store"
EVERYTHING = {
    "python3.11 -m venv .venv",
    "python3.11 -m venv .venv-training",
    "python -m training.encoder_export --out build/encoder",
    "python -m training.gguf training/checkpoints/clinalign-demo build/demo.gguf",
    "clinalign principles build",
    "clinalign screen build",
    BYTECODE,
}
LONG_AGO = 1_000_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """All that the Makefile's install looks at, as old as a checkout is when it is first built."""
    for name in (
        "Makefile",
        "pyproject.toml",
        "requirements",
        "principles_store",
        "training/checkpoints/clinalign-demo",
    ):
        found, copy = ROOT / name, tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(found, copy, ignore=ignored) if found.is_dir() else shutil.copy(found, copy)
    for pattern in ("training/*.py", "service/pipeline/screen/*.py", "service/pipeline/screen/examples/*.yaml"):
        for found in ROOT.glob(pattern):
            copy = tmp_path / found.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, copy)
    for path in tmp_path.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    python = tmp_path / "python3.11"
    python.write_text(STANDS_IN)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def make(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = {**inherited, "PATH": f"{tree}:{os.environ['PATH']}"}
    command = ["make", "PYTHON=python3.11", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=60, check=False)


def called(tree: Path) -> set[str]:
    """What an install called, but for pip, whose lists are long."""
    (tree / "calls").write_text("")
    run = make(tree, "install")
    assert run.returncode == 0, run.stderr
    return {line for line in (tree / "calls").read_text().splitlines() if not line.startswith("pip ")}


def test_a_second_install_calls_nothing_but_for_bytecode(tree: Path) -> None:
    assert called(tree) == EVERYTHING
    assert called(tree) == {BYTECODE}
    assert "pip" not in (tree / "calls").read_text()


@pytest.mark.parametrize(
    "target",
    [
        ".venv/.installed",
        "build/encoder/encoder.json",
        "build/demo.gguf",
        "build/index/manifest.json",
        "build/screen/manifest.json",
    ],
)
def test_every_target_of_install_is_up_to_date_after_it(target: str, tree: Path) -> None:
    assert target in (tree / "Makefile").read_text().partition("install:")[2].partition("\nrun:")[0]
    assert make(tree, "-q", target).returncode == 1
    called(tree)
    assert make(tree, "-q", target).returncode == 0


@pytest.mark.parametrize(
    ("changed", "built"),
    [
        ("principles_store/principles/urgency/emergent.yaml", {"clinalign principles build"}),
        ("service/pipeline/screen/wording.py", {"clinalign screen build"}),
        (
            "training/encoder_export.py",
            {
                "python -m training.encoder_export --out build/encoder",
                "clinalign principles build",
                "clinalign screen build",
            },
        ),
    ],
)
def test_after_a_change_only_what_stands_on_it_is_built_again(changed: str, built: set[str], tree: Path) -> None:
    called(tree)
    for path in tree.rglob("*"):  # as if all had been built a while ago
        os.utime(path, ns=(time := path.stat().st_mtime_ns - 10**10, time))
    (tree / changed).touch()
    assert called(tree) == {*built, BYTECODE}
