"""A folder's claim: written once, held against later, and what changed is what is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.claim import OtherWork, claim

FACTS: dict[str, Any] = {"model": "a", "seed": 1, "data": {"rows.jsonl": "d1", "dialogues": 0}, "clip": (0.2, 0.3)}


def test_what_was_written_first_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert claim(path, FACTS, first={"revision": "r1"})["revision"] == "r1"
    written = path.read_bytes()
    assert claim(path, FACTS, first={"revision": "r2"})["revision"] == "r1"
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "b"}, r'holds work of model "a", not "b": choose another'),
        ({"data": {"rows.jsonl": "d2", "dialogues": 0}}, r'data\.rows\.jsonl "d1", not "d2"'),
        ({"judge": "j"}, r'judge \(none\), not "j"'),
    ],
    ids=["a value", "a value inside", "a fact that is new"],
)
def test_what_changed_is_refused_by_its_name(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    claim(tmp_path / "run.json", FACTS)
    with pytest.raises(OtherWork, match=said):
        claim(tmp_path / "run.json", {**FACTS, **changed})


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_claim_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(OtherWork, match=r"run\.json"):
        claim(tmp_path / "run.json", FACTS)


def test_a_claim_is_readable_json(tmp_path: Path) -> None:
    claim(tmp_path / "run.json", FACTS)
    assert json.loads((tmp_path / "run.json").read_text())["clip"] == [0.2, 0.3]
