"""Every import contract catches a deliberate violation of itself."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("service", "principles_store", "training", "loadtests")
VIOLATIONS = {
    "between the top-level packages": ("principles_store/loading.py", "import service.domain"),
    "inside the service": ("service/domain/errors.py", "import service.pipeline.ports"),
    "every module has its place": ("service/leftovers.py", ""),
    "steps do not import each other": ("service/pipeline/draft.py", "import service.pipeline.judge"),
    "standard library only": ("service/domain/errors.py", "import pydantic"),
    "No torch": ("service/engines/endpoint.py", "import torch"),
    "No torch in the store": ("principles_store/encoder.py", "import sentence_transformers"),
    "FAISS has one door": ("service/pipeline/retrieve.py", "import faiss"),
    "cannot read what is reported on": (
        "service/pipeline/screen/fitting.py",
        "from service.pipeline.screen.rows import each_row",
    ),
    "the head through the store": ("service/pipeline/screen/fitting.py", "from principles_store.graded import rows_of"),
    "the store's cues": ("principles_store/cues.py", "import principles_store.graded"),
    "labels through its folds alone": ("training/judge/fit.py", "from service.judge_evaluation.rows import read_rows"),
    "HealthBench in the judge's training": ("training/judge/group.py", "import training.healthbench.records"),
    "Training runs one way": ("training/gate/decision.py", "import training.publishing"),
    "what they are reported on": ("principles_store/topic.py", "import principles_store.graded"),
    "never its machinery": ("training/gguf.py", "import service.pipeline.ports"),
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_judges_fit_takes_rows_from_its_folds_and_reads_none_itself() -> None:
    """A contract ends at modules; what is taken from `training.judge.folds` is told by name."""
    tree = ast.parse((ROOT / "training" / "judge" / "fit.py").read_text(encoding="utf-8"))
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named = {alias.name for node in taken if node.module == "training.judge.folds" for alias in node.names}
    assert named <= {"Folds", "TrainingRows", "training_rows"}
    assert "training.judge" not in {node.module for node in taken}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert "open" not in called
    assert not {"pathlib", "json", "gzip", "io", "os"} & _modules(tree)


def _modules(tree: ast.AST) -> set[str]:
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_tree_as_it_stands_keeps_every_contract(copy: Path) -> None:
    run = lint(copy)
    assert run.returncode == 0, run.stdout
    assert "0 broken" in run.stdout


@pytest.mark.parametrize(("file", "line"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_deliberate_violation_is_caught(copy: Path, file: str, line: str) -> None:
    path = copy / file
    before = path.read_text() if path.exists() else '"""A homeless module."""\n'
    path.write_text(f"{before}\n{line}\n")
    run = lint(copy)
    assert run.returncode == 1, run.stdout
    assert "1 broken" in run.stdout, run.stdout
