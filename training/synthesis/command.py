"""What `clinalign train synthesize` does, step by step: each function is one thing that a run may be asked for."""

import asyncio
import importlib.util
import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from principles_store.errors import StoreError
from principles_store.paths import Places
from training.claim import OtherWork
from training.environments import ROOT, TRAINING
from training.healthbench.records import BadRow, lines
from training.journal import JournalBroken
from training.models import Endpoint
from training.synthesis.queries import BadQueries, Query, read
from training.synthesis.run import ROWS, Prices, Report, Synthesis
from training.synthesis.steps import Plan
from training.synthesis.store import StoredPrinciples


class NotWritten(RuntimeError):
    """Parquet could not be written; the message says why."""


class NothingAnswered(RuntimeError):
    """The first calls to a server all failed; the message says how many, where and why."""


# What a person can mend: the message says what and where.
REFUSED: Final = (BadQueries, BadRow, JournalBroken, NotWritten, NothingAnswered, OtherWork, StoreError)
_MODEL_KEY, _JUDGE_KEY = "CLINALIGN_MODEL_KEY", "CLINALIGN_GRADER_KEY"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the queries are read from, anew each time: they may be more than fit in memory."""

    path: Path
    field: str | None
    limit: int | None

    def queries(self) -> Iterator[Query]:
        """The queries, in the file's order.

        Raises:
            BadQueries: a row has no text.

        """
        return itertools.islice(read(self.path, field=self.field), self.limit)


@contextmanager
def opened(
    folder: Path, writer: tuple[str, str], judge: tuple[str, str], samples: int, seed: int, concurrency: int
) -> Iterator[Synthesis]:
    """A run's folder, held until it ends.

    Raises:
        JournalBroken: the folder's journal cannot be read, or another run works there.
        OtherWork: the folder belongs to another plan.
        StoreError: the principles or their index cannot be used.

    """
    writes = Endpoint(*writer, _MODEL_KEY, concurrency)
    plan = Plan(writes, writes, Endpoint(*judge, _JUDGE_KEY, concurrency), samples=samples, seed=seed)
    run = Synthesis(folder, StoredPrinciples.open(Places.from_environment()), plan)
    try:
        yield run
    finally:
        run.close()


def go_on(
    run: Synthesis, source: Source, concurrency: int, *, replies: Path | None = None, requests: Path | None = None
) -> str:
    """Takes a batch's replies where there are some; then writes what to ask next, or asks it. What failed, in a line.

    Raises:
        BadRow: the replies are none: a line has no `custom_id`.
        NothingAnswered: a server's first calls all failed, and the rest were not made.

    """
    if replies is not None:
        take(run, source, replies)
    if requests is not None:
        write_requests(run, source, requests)
        return ""
    return ask(run, source, concurrency=concurrency)


def take(run: Synthesis, source: Source, replies: Path) -> None:
    """Takes a batch's output.

    Raises:
        BadRow: it is none: a line has no `custom_id`.

    """
    found = run.take(_replies(replies), source.queries())
    told = f"{found.taken} replies taken; {found.failed} had failed and are asked for again"
    if found.foreign:
        told += f"; {found.foreign} are foreign, of no query of {source.path.name} here, and were left out"
    Console(stderr=True, soft_wrap=True).print(told, markup=False)


def _replies(path: Path) -> Iterator[Mapping[str, Any]]:
    for where, row in lines(path):
        if "custom_id" not in row:
            raise BadRow(f"{where}: field 'custom_id' is missing: every line of a batch's output file has one")
        yield row


def write_requests(run: Synthesis, source: Source, path: Path) -> None:
    """Writes what is to be asked next, for `vllm run-batch -i PATH -o REPLIES --model MODEL` or any batch service."""
    partial = path.with_suffix(f"{path.suffix}.partial")
    with partial.open("w", encoding="utf-8") as file:
        count = sum(
            bool(file.write(json.dumps(row, ensure_ascii=False) + "\n")) for row in run.open_requests(source.queries())
        )
    partial.replace(path)
    Console(stderr=True).print(f"{count} requests written to {path}")


def ask(run: Synthesis, source: Source, *, concurrency: int) -> str:
    """Asks the servers until nothing is left to ask that they answer. What failed is told in a line; else it is empty.

    Raises:
        NothingAnswered: a server's first calls all failed, and the rest were not made.

    """
    total = sum(1 for _ in source.queries())
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("queries", total=total)
        asked = run.run(source.queries(), in_flight=concurrency, progress=lambda: progress.advance(task))
        calls = asyncio.run(asked)
    for server in calls:
        if server.hopeless:
            raise NothingAnswered(f"nothing was answered, so the rest was not asked: {server.said}")
    return "; ".join(server.said for server in calls if server.said)


def finish(run: Synthesis, source: Source, prices: Prices) -> dict[str, Any]:
    """Writes the rows, and says how the run stands."""
    report: Report = run.finish(source.queries(), prices=prices)
    (run.folder / "report.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
    return report.as_dict()


def write_parquet(run: Synthesis, folder: Path, one_in: int) -> dict[str, int]:
    """The rows as Parquet, those to train on apart from those held out; how many rows each file has.

    By pyarrow, ours or the training environment's.

    Raises:
        BadRow: a row cannot be read.
        NotWritten: there is no pyarrow, or it failed.

    """
    rows = run.folder / ROWS
    if importlib.util.find_spec("pyarrow") is not None:
        from training.synthesis.split import split  # noqa: PLC0415 - only this format needs it

        return split(rows, folder, one_in)
    if not TRAINING.exists():
        raise NotWritten(f"{folder}: Parquet needs pyarrow: run `make install-align`")
    words = [str(TRAINING), "-m", "training.synthesis.split", str(rows.absolute()), str(folder.absolute()), str(one_in)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise NotWritten(f"{folder}: {(done.stderr.splitlines() or [f'exit status {done.returncode}'])[-1]}")
    counts: dict[str, int] = json.loads(done.stdout)
    return counts
