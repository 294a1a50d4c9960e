"""Every import contract catches a deliberate violation of itself."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("service", "principles_store", "training", "loadtests")
BETWEEN = "Imports run one way between the top-level packages"
SERVICE = "Imports run one way inside the service"
PIPELINE = "Imports run one way inside the pipeline"
STORE = "Imports run one way inside the principles' store"
STEPS = "Pipeline steps do not import each other"
NO_TORCH = "No torch, vllm or transformers on the request path"
HEAD = "The head's fitting cannot read what is reported on"
FOUND_BY = "The store's heads, and what is retrieved by, cannot read what they are reported on"
THRESHOLD = "A model judge's threshold is fitted to odds and labels that are handed over"
FOLDS = "The judge's training reads labels through its folds alone"
# What is tried: the contract that catches it, the file, and the line that is added to it.
VIOLATIONS = {
    "the store imports the service": (BETWEEN, "principles_store/loading.py", "import service.domain"),
    "training imports load tests": (BETWEEN, "training/gguf.py", "import loadtests.latency"),
    "load tests import training": (BETWEEN, "loadtests/latency.py", "import training.gguf"),
    "the domain imports the pipeline": (SERVICE, "service/domain/errors.py", "import service.pipeline.ports"),
    "a module of the service without a place": (SERVICE, "service/leftovers.py", ""),
    "a step imports the rounds": (PIPELINE, "service/pipeline/revise.py", "import service.pipeline.rounds"),
    "what steps share imports a step": (PIPELINE, "service/pipeline/schema.py", "import service.pipeline.repair"),
    "a step without a place": (PIPELINE, "service/pipeline/leftovers.py", ""),
    "the index imports the store": (STORE, "principles_store/index.py", "import principles_store.store"),
    "a module of the store without a place": (STORE, "principles_store/leftovers.py", ""),
    "the draft imports the judge": (STEPS, "service/pipeline/draft.py", "import service.pipeline.judge"),
    "a chore imports disclosure": (STEPS, "service/pipeline/chore.py", "import service.pipeline.disclosure"),
    "fit imports the draft": (STEPS, "service/pipeline/fit.py", "import service.pipeline.draft"),
    "pydantic in the domain": ("The domain is standard library only", "service/domain/errors.py", "import pydantic"),
    "torch in an engine": (NO_TORCH, "service/engines/endpoint.py", "import torch"),
    "torch in the store": (NO_TORCH, "principles_store/encoder.py", "import sentence_transformers"),
    "faiss in the pipeline": ("FAISS has one door", "service/pipeline/retrieve.py", "import faiss"),
    "the head reads rows": (
        HEAD,
        "service/pipeline/screen/fitting.py",
        "from service.pipeline.screen.rows import each_row",
    ),
    "the head reads the store's": (
        HEAD,
        "service/pipeline/screen/fitting.py",
        "from principles_store.graded import rows_of",
    ),
    "the store's cues read labels": (FOUND_BY, "principles_store/cues.py", "import principles_store.graded"),
    "the topic's head reads labels": (FOUND_BY, "principles_store/topic.py", "import principles_store.graded"),
    "the threshold's fitting reads rows": (
        THRESHOLD,
        "service/judge_evaluation/fitting.py",
        "from service.judge_evaluation.rows import Row",
    ),
    "the threshold's fitting reads through the command": (
        THRESHOLD,
        "service/judge_evaluation/fitting.py",
        "import service.judge_evaluation.command",
    ),
    "what the threshold is measured by reads rows": (
        THRESHOLD,
        "service/judge_evaluation/measures.py",
        "import service.pipeline.screen.rows",
    ),
    "the judge's fit reads rows": (
        FOLDS,
        "training/judge/fit.py",
        "from service.judge_evaluation.rows import read_rows",
    ),
    "HealthBench in the judge's training": (FOLDS, "training/judge/group.py", "import training.healthbench.records"),
    "the gate publishes": ("Training runs one way", "training/gate/decision.py", "import training.publishing"),
    "training with the pipeline": (
        "Training shares the service's words and records, never its machinery",
        "training/gguf.py",
        "import service.pipeline.ports",
    ),
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    environment = {**os.environ, "COLUMNS": "300"}  # a contract's name and what became of it stand in one line
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=100, check=False)


def broken(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stdout.splitlines() if " BROKEN" in line]


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


@pytest.mark.parametrize(("contract", "file", "line"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_deliberate_violation_is_caught(copy: Path, contract: str, file: str, line: str) -> None:
    path = copy / file
    before = path.read_text() if path.exists() else '"""A homeless module."""\n'
    path.write_text(f"{before}\n{line}\n")
    run = lint(copy)
    assert run.returncode == 1, run.stdout
    assert [found for found in broken(run) if found.startswith(contract)], run.stdout


def test_every_contract_is_tried() -> None:
    written = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    tried = {contract for contract, _, _ in VIOLATIONS.values()}
    assert [each["name"] for each in written if not each["name"].startswith(tuple(tried))] == []
