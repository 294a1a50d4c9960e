"""A fuzzed target's figures: inputs, read, refused, coverage, seconds; and the table of all of them."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

_PULSE = re.compile(r"cov: (?P<cov>\d+) ft: (?P<ft>\d+) corp: (?P<corpus>\d+)")
_PATIENCE_S = 3600


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """`edges` of our code's branches that were reached; `failed` is what went wrong, or empty."""

    name: str
    inputs: int
    read: int
    refused: int
    edges: int
    corpus: int
    seconds: float
    failed: str = ""

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def fuzz(name: str, *, runs: int) -> Fuzzed:
    """One target in a process of its own."""
    began = time.monotonic()
    command = [sys.executable, "-m", "loadtests.fuzz.one", name, str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)  # noqa: S603 - our own
    seconds = round(time.monotonic() - began, 1)
    counted = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    pulses = list(_PULSE.finditer(done.stderr))
    last = pulses[-1] if pulses else None
    failed = "" if done.returncode == 0 and counted.get("inputs") == runs else done.stderr[-3000:] or "no result"
    return Fuzzed(
        name=name,
        inputs=counted.get("inputs", 0),
        read=counted.get("read", 0),
        refused=counted.get("refused", 0),
        edges=int(last["cov"]) if last else 0,
        corpus=int(last["corpus"]) if last else 0,
        seconds=seconds,
        failed=failed,
    )


def section(found: Sequence[Fuzzed], *, runs: int) -> str:
    """The figures in Markdown."""
    total = sum(one.inputs for one in found)
    crashed = [one.name for one in found if one.failed]
    rows = [
        f"| {one.name} | {one.inputs:,} | {one.read:,} | {one.refused:,} | {one.edges:,} | {one.corpus:,} | {one.seconds:.0f} "
        f"| {'**failed**' if one.failed else 'none'} |"
        for one in found
    ]
    return "\n".join(
        [
            "## Fuzzed readers",
            "",
            f"`python -m loadtests.fuzz --runs {runs}`: atheris (libFuzzer with coverage of our Python code) gives each",
            "reader inputs that grow from a good one, JSON changed as a tree and as bytes. An input is read or refused by",
            "the error that says so, whose words hold none of the input's; anything else is a crash. Streams are read",
            "whole and cut into pieces, and must come out the same.",
            "",
            f"{total:,} inputs, {len(crashed)} crashes.",
            "",
            "| reader | inputs | read | refused | edges reached | corpus | s | crashes |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "What it can't do: it reaches what Python code does; the JSON parser and the validator below it are compiled,",
            "and only their errors are seen.",
            "",
        ]
    )
