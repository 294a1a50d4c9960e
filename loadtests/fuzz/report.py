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
    done = subprocess.run(  # noqa: S603 - our own module
        command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    seconds = round(time.monotonic() - began, 1)
    told = [line for line in done.stdout.splitlines() if line.startswith('{"inputs"')]
    counted = json.loads(told[-1]) if told else {}
    pulses = list(_PULSE.finditer(done.stderr))
    last = pulses[-1] if pulses else None
    fine = done.returncode == 0 and counted.get("inputs") == runs
    failed = "" if fine else f"status {done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
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
        f"| {one.name} | {one.inputs:,} | {one.read:,} | {one.refused:,} | {one.edges:,} | {one.corpus:,} "
        f"| {one.seconds:.0f} | {'**failed**' if one.failed else 'none'} |"
        for one in found
    ]
    head = f"""## Fuzzed readers

`python -m loadtests.fuzz --runs {runs}`: atheris (libFuzzer with the coverage of our Python code) gives each reader
inputs that grow from good ones, JSON changed as a tree and as bytes. An input is read, or refused by the error that
says so, whose words hold none of the input's; anything else is a crash. Streams are read whole and cut into pieces, and
must come out the same. A whole request goes through the web application, its middleware and the pipeline
(`loadtests/robustness/inside.py`); there, a 5xx is a crash. An input is stopped after 120 s.

{total:,} inputs, {len(crashed)} crashes.

| reader | inputs | read | refused | edges reached | corpus | s | crashes |
|---|---|---|---|---|---|---|---|"""
    last = """
What it can't do: it reaches what Python code does. The JSON parser and the validator below it are compiled, and only
their errors are seen.
"""
    return "\n".join([head, *rows, last])
