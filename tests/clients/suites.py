"""Suites that test an OpenAI-compatible server, run against the gateway, and why it fails what it fails."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.outcome import Probe, SuiteRun
from tests.clients.processes import Ended

Run = Callable[[list[str]], Awaitable[Ended]]

# What cannot hold here, and why. One that is no longer needed fails the run as an unexplained failure does.
_NO_IMAGES = "refused with a 400 that says so: the model behind the gateway cannot see"
_ONE_MODEL = (
    "the test leaves `model` out and wants that refused; one model answers here, so it may be left out: "
    "docs/decisions/the-model-may-be-left-out.md"
)
EXPLAINED: Mapping[str, dict[str, str]] = {
    "llm-comply --format openai-chat": {"chat-image-input": _NO_IMAGES, "chat-error-handling": _ONE_MODEL},
    "llm-comply --format open-responses": {"image-input": _NO_IMAGES, "error-handling": _ONE_MODEL},
    "compatcanary": {},
}


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the suites are: the folder of the Python environment's programs, and node's modules."""

    bin: Path
    modules: Path


async def llm_comply(run: Run, programs: Programs, *, url: str, key: str, model: str, version: str) -> list[SuiteRun]:
    """Both of its suites for OpenAI's interfaces."""
    runs = []
    for wanted in ("openai-chat", "open-responses"):
        named = f"llm-comply --format {wanted}"
        said = [str(programs.bin / "llm-comply"), "--format", wanted, "--json", "-u", url, "-m", model, "-k", key]
        ended = await run(said)
        found = tuple(_complied(result) for result in _parsed(ended)["results"])
        runs.append(SuiteRun("llm-comply", version, named, found, EXPLAINED[named]))
    return runs


async def compatcanary(run: Run, programs: Programs, *, url: str, key: str, model: str, version: str) -> SuiteRun:
    """Its modern profile: chat completions and responses."""
    cli = programs.modules / "compatcanary" / "src" / "cli.js"
    asked = ["scan", "--base-url", url, "--model", model, "--api-key", key, "--format", "json", "--fail-on", "never"]
    ended = await run([str(programs.bin / "node"), str(cli), *asked])
    found = tuple(
        Probe(result["id"], result["status"] == "pass", result["status"], _unless_passed(result))
        for result in _parsed(ended)["results"]
    )
    return SuiteRun("compatcanary", version, "compatcanary scan", found, EXPLAINED["compatcanary"])


def _unless_passed(result: Mapping[str, Any]) -> str:
    return "" if result["status"] == "pass" else str(result["summary"])


def _complied(result: Mapping[str, Any]) -> Probe:
    """Skipped is the suite's own choice, by the model's name; a warning is told, and does not fail."""
    errors, warnings = result.get("errors", []), result.get("warnings", [])
    return Probe(result["id"], result["status"] != "failed", result["status"], "; ".join([*errors, *warnings]))


def _parsed(ended: Ended) -> dict[str, Any]:
    """The report.

    Raises:
        RuntimeError: the suite wrote none.

    """
    try:
        report: dict[str, Any] = json.loads(ended.stdout[ended.stdout.index("{") :])
    except ValueError:
        raise RuntimeError(f"the suite ended with {ended.status} and no report: {ended.stderr[-2000:]}") from None
    return report
