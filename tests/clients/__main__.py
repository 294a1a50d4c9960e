"""Set every client and suite on a running gateway, and write what became of it: `make test-clients`.

Exits 1 where a client did not do what it must, tried to reach another host, or a suite's failure is not explained.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadtests.processes import gateway, simulated
from tests.clients import suites
from tests.clients.outcome import Cell, ClientRun, SuiteRun
from tests.clients.page import page
from tests.clients.processes import Ended, ended
from tests.clients.scripted_model import missing_thing, scripted_model

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).parent / "apps"
MODULES = Path(__file__).parent / "node_modules"
NEWER, OLDER = ROOT / ".venv-clients" / "bin", ROOT / ".venv-clients-openai2" / "bin"
KEY = "key-of-the-clients"
# The name on the page, the program that runs it, and its file.
CLIENTS = (
    ("openai-python", NEWER / "python", "with_openai.py"),
    ("openai-python 2", OLDER / "python", "with_openai.py"),
    ("openai-python, AzureOpenAI", NEWER / "python", "with_azure.py"),
    ("openai-node", NEWER / "node", "with_openai.mjs"),
    ("openai-node, AzureOpenAI", NEWER / "node", "with_azure.mjs"),
    ("langchain-openai", NEWER / "python", "with_langchain.py"),
    ("llama-index-llms-openai-like", OLDER / "python", "with_llama_index.py"),
    ("pydantic-ai", NEWER / "python", "with_pydantic_ai.py"),
    ("instructor", OLDER / "python", "with_instructor.py"),
    ("litellm (client)", NEWER / "python", "with_litellm.py"),
    ("llm", NEWER / "python", "with_llm.py"),
    ("inspect-ai", NEWER / "python", "with_inspect_ai.py"),
)
# A stream's silence is broken often, so that every client meets the comments that break it.
_SERVED = {"CLINALIGN_API_KEYS": f"clients:{KEY}", "CLINALIGN_KEEP_ALIVE_S": "0.02"}
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Bench:
    """The running gateway's address, what every draft lacks, and a folder for the clients' homes."""

    address: str
    revised: str
    homes: Path
    room: asyncio.Semaphore

    @property
    def url(self) -> str:
        """The base URL that a client is given."""
        return f"{self.address}/v1"

    async def ended(self, command: list[str], *, name: str) -> Ended:
        """Run a program beside at most one other."""
        environment = {
            "GATEWAY_URL": self.url,
            "GATEWAY_KEY": KEY,
            "GATEWAY_MODEL": "scripted",
            "GATEWAY_REVISED": self.revised,
            "CLIENTS_MODULES": str(MODULES),
        }
        async with self.room:
            home = Path(tempfile.mkdtemp(dir=self.homes))
            found = await ended(command, environment=environment, home=home)
            print(f"{name}: ended with status {found.status}", file=sys.stderr, flush=True)
            return found


async def client_run(bench: Bench, name: str, program: Path, file: str) -> ClientRun:
    """One client's checks."""
    found = await bench.ended([str(program), str(APPS / file)], name=name)
    return told(name, found)


def told(name: str, found: Ended) -> ClientRun:
    """What a client's process said of itself, line by line."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
    about = next((line for line in lines if "client" in line), {})
    cells = tuple(Cell(line["check"], line["passed"], line["said"]) for line in lines if "check" in line)
    run = ClientRun(name, about.get("version", "?"), about.get("notes", ""), cells, log=found.stderr)
    if found.called:
        return replace(run, broken=f"tried to reach {', '.join(sorted(set(found.called)))}")
    if found.status != 0 and all(cell.passed for cell in cells):
        return replace(run, broken=f"ended with status {found.status}")
    return run


async def suite_runs(bench: Bench) -> list[SuiteRun]:
    """Every suite's report."""
    programs = suites.Programs(NEWER, MODULES)
    asked: dict[str, Any] = {"url": bench.url, "key": KEY, "model": "scripted"}
    complied = await suites.llm_comply(
        lambda command: bench.ended(command, name="llm-comply"), programs, **asked, version=_locked("llm-comply")
    )
    scanned = await suites.compatcanary(
        lambda command: bench.ended(command, name="compatcanary"), programs, **asked, version=_module("compatcanary")
    )
    return [*complied, scanned]


def _locked(package: str) -> str:
    """The version that is installed, as its metadata's folder names it."""
    (found,) = NEWER.parent.glob(f"lib/python3*/site-packages/{package.replace('-', '_')}-*.dist-info")
    return found.name.removesuffix(".dist-info").rpartition("-")[2]


def _module(name: str) -> str:
    return str(json.loads((MODULES / name / "package.json").read_text())["version"])


async def everything(only: str) -> tuple[list[ClientRun], list[SuiteRun]]:
    """All clients whose name holds `only`, and the suites where all are wanted."""
    with tempfile.TemporaryDirectory(prefix="clients-") as homes:
        async with (
            simulated(scripted_model()) as upstream,
            gateway("--upstream", upstream, environment=_SERVED) as running,
        ):
            bench = Bench(running.address, missing_thing(), Path(homes), asyncio.Semaphore(_AT_ONCE))
            async with asyncio.TaskGroup() as group:
                chosen = [entry for entry in CLIENTS if only in entry[0]]
                clients = [group.create_task(client_run(bench, *entry)) for entry in chosen]
                reports = None if only else group.create_task(suite_runs(bench))
    return [task.result() for task in clients], reports.result() if reports else []


def main() -> int:
    """Run, write the page, and tell what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="write the page there")
    parser.add_argument("--only", default="", help="clients whose name holds this; no suites")
    chosen = parser.parse_args()
    clients, reports = asyncio.run(everything(chosen.only))
    written = page(clients, reports)
    if chosen.page is not None:
        chosen.page.write_text(written)
    failed = [run for run in clients if not run.passed]
    for run in failed:
        print(f"--- {run.client}: {run.broken or 'a check failed'}\n{run.log[-4000:]}", file=sys.stderr)
    print(written)
    return 1 if failed or not all(report.passed for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
