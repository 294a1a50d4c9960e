"""Principles that cannot be swapped in: the old ones stay, and the log says why and where, in no sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from principles_store.writing import write_principles
from service.app import Gateway
from service.audit.ledger import MemoryLedger
from tests.fakes import FakeEngine
from tests.gateway_fakes import FakeDesk, plays
from tests.principles_fakes import principle, small_store


def changes(folder: Path) -> None:
    write_principles([principle("urgency.urgent.new")], folder / "principles")


def breaks(folder: Path) -> None:
    (folder / "principles" / "broken.yaml").write_text("principles: I have chest pain.")


def removes(folder: Path) -> None:
    (folder / "index" / "topic.npz").unlink()


CASES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "not-rebuilt": (changes, "index_of_other_principles", "index"),
    "no-yaml-of-ours": (breaks, "principles_invalid", "principles/broken.yaml"),
    "cut-short": (removes, "index_missing_or_damaged", "index/topic.npz"),
}


@pytest.mark.parametrize(("spoil", "reason", "where"), CASES.values(), ids=CASES.keys())
async def test_a_reload_that_is_refused_says_why(
    spoil: Callable[[Path], None], reason: str, where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = small_store(tmp_path)
    before = store.digest
    gateway = Gateway(FakeDesk().web, cast("Any", FakeEngine(plays())), None, store, MemoryLedger(), None)
    spoil(tmp_path)
    await gateway.reload_principles()
    (line,) = caplog.records
    assert (line.getMessage(), line.levelname) == ("principles.not_reloaded", "WARNING")
    assert line.__dict__["fields"] == {"reason": reason, "where": str(tmp_path / where)}
    assert store.digest == before
