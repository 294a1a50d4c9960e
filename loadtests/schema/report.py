"""Run schemathesis over our OpenAPI against a gateway on a port, and count its cases by operation."""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from loadtests.robustness.ports import free_port, until_listening

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / ".venv-schema" / "bin" / "schemathesis"
_SETTINGS = ROOT / "loadtests" / "schema" / "schemathesis.toml"
# Operations whose bodies give many different cases; the others have a handful.
_WITH_BODY = 11
_PATIENCE_S = 4 * 3600


@dataclass(slots=True)
class Tried:
    """Cases, those that were accepted, failed checks and replies by operation; `told` is schemathesis's last page."""

    cases: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    server_errors: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    status: int = 0
    told: str = ""

    @property
    def fine(self) -> bool:
        """No 5xx, no failed check, and schemathesis ended well."""
        return not self.status and not self.failures and not self.server_errors


def run(*, cases: int, phases: str = "coverage,fuzzing") -> Tried:
    """About so many cases; the coverage phase makes some thousands however few are asked for."""
    began = time.monotonic()
    with _gateway() as address, tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.ndjson"
        command: list[str | Path] = [
            COMMAND,
            "--config-file",
            _SETTINGS,
            "run",
            f"{address}/openapi.json",
            "--phases",
            phases,
        ]
        command += ["-n", str(max(1, cases // _WITH_BODY)), "--seed", "7"]
        command += ["--report", "ndjson", "--report-ndjson-path", str(events)]
        done = subprocess.run(  # noqa: S603 - the one of our own environment
            command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        tried = counted(events.read_bytes().splitlines()) if events.exists() else Tried()
    tried.seconds, tried.status = round(time.monotonic() - began, 1), done.returncode
    tried.told = f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return tried


def counted(events: list[bytes]) -> Tried:
    """The cases in schemathesis's events."""
    tried = Tried()
    for line in events:
        finished = orjson.loads(line).get("ScenarioFinished")
        if finished and finished.get("recorder", {}).get("cases"):
            _count(tried, finished["recorder"])
    return tried


def _count(tried: Tried, recorded: dict[str, Any]) -> None:
    operation = recorded["label"]
    for name, case in recorded["cases"].items():
        status = ((recorded["interactions"].get(name) or {}).get("response") or {}).get("status_code", 0)
        good = ((case["value"].get("meta") or {}).get("generation") or {}).get("mode") == "positive"
        tried.cases[operation] += 1
        tried.good[operation] += good
        tried.accepted[operation] += good and 200 <= status < 300
        tried.server_errors[operation] += status >= 500
        for check in recorded["checks"].get(name, ()):
            tried.checks[check["name"]] += 1
            tried.failures[f"{operation}: {check['name']}"] += check["status"] == "failure"
    tried.failures, tried.server_errors = +tried.failures, +tried.server_errors


@contextmanager
def _gateway() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "loadtests.robustness.serve_inside", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603 - our own module
    try:
        until_listening(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def section(tried: Tried, *, cases: int) -> str:
    """The figures in Markdown."""
    rows = [
        f"| {operation} | {n:,} | {tried.good[operation]:,} | {tried.accepted[operation]:,} "
        f"| {tried.server_errors[operation]} |"
        for operation, n in sorted(tried.cases.items())
    ]
    failed = [f"- {name}: {n}" for name, n in tried.failures.items()] or ["No check failed."]
    head = f"""## schemathesis over our OpenAPI

`make schema-install && clinalign load schema --cases {cases}`: schemathesis reads `/openapi.json` and makes cases that
fit it (*good*) and cases that do not, at a gateway that listens on a port, with the deterministic model and a shelf of
principles in its process (`loadtests/robustness/inside.py`), so that it is the gateway's reading and replying that is
tried. A fresh Idempotency-Key is put into each case that has one, and into a good case's body what no schema can say,
such as a last turn that is the user's (`loadtests/schema/hooks.py`).

{sum(tried.cases.values()):,} cases in {tried.seconds:.0f} s: {sum(tried.server_errors.values())} replies of 500 and
above, {sum(tried.failures.values())} failed checks.
Checks: {", ".join(sorted(tried.checks))}. Off is `positive_data_acceptance`: a body can fit its schema and be refused
for what its parts mean together.

| operation | cases | good | of these a 2xx | 5xx |
|---|---|---|---|---|"""
    return "\n".join([head, *rows, "", *failed, ""])
