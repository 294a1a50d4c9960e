"""Streamed and unstreamed, the same question gets the same answer: outcome, verdicts, text, calls and usage."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from loadtests.processes import gateway, simulated
from loadtests.robustness.conversations import Case, cases
from loadtests.robustness.model import DeterministicModel
from loadtests.robustness.routes import ROUTES, Heard, Route, said_by

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """One case on one route, both ways; `differences` names what is not the same, or breaks the stream's form."""

    case: Case
    path: str
    plain: Heard
    streamed: Heard
    differences: tuple[str, ...]


@dataclass(slots=True)
class Found:
    """Every pair that was compared, and cases whose routes do not agree among themselves."""

    pairs: list[Pair] = field(default_factory=list)
    between_routes: list[str] = field(default_factory=list)
    routes_agree: int = 0


async def measure(*, count: int, progress: Callable[[int], None]) -> Found:
    """`count` conversations through a gateway of its own, in front of the deterministic model."""
    async with simulated(DeterministicModel()) as upstream, gateway("--upstream", upstream) as running:
        return await compare(running.address, count=count, progress=progress)


async def compare(address: str, *, count: int, progress: Callable[[int], None]) -> Found:
    """The same through a gateway that runs."""
    found, few = Found(), asyncio.Semaphore(_AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout) as client, asyncio.TaskGroup() as group:

        async def one(case: Case) -> None:
            async with few:
                pairs = [pair for route in ROUTES if (pair := await _pair(client, address, route, case))]
            found.pairs += pairs
            _between(found, case, pairs)
            progress(1)

        for case in cases(count):
            group.create_task(one(case))
    return found


async def _pair(client: aiohttp.ClientSession, address: str, route: Route, case: Case) -> Pair | None:
    body = route.body(case)
    if body is None:
        return None
    plain = await route.ask(client, address, body, stream=False)
    streamed = await route.ask(client, address, body, stream=True)
    one, other = said_by(plain), said_by(streamed)
    differences = [name for name in one if one[name] != other[name]]
    return Pair(case, route.path, plain, streamed, (*differences, *streamed.faults))


def _between(found: Found, case: Case, pairs: list[Pair]) -> None:
    """The routes' own words differ, the proof must not."""
    proofs = [pair.plain.proof for pair in pairs]
    if all(proof == proofs[0] for proof in proofs):
        found.routes_agree += 1
    else:
        found.between_routes.append(f"case {case.number} ({case.kind})")


def summary(found: Found) -> dict[str, Any]:
    """Counts by kind and route, outcomes, and whatever differed."""
    kinds: dict[str, Counter[str]] = {}
    for pair in found.pairs:
        counted = kinds.setdefault(pair.case.kind, Counter())
        counted["pairs"] += 1
        counted["same"] += not pair.differences
        counted[_outcome(pair.plain)] += 1
    return {
        "conversations": len({pair.case.number for pair in found.pairs}),
        "pairs": len(found.pairs),
        "same": sum(not pair.differences for pair in found.pairs),
        "by_route": {
            path: [
                sum(not p.differences for p in found.pairs if p.path == path),
                sum(p.path == path for p in found.pairs),
            ]
            for path in dict.fromkeys(pair.path for pair in found.pairs)
        },
        "by_kind": {kind: dict(counted) for kind, counted in kinds.items()},
        "outcomes": dict(Counter(_outcome(pair.plain) for pair in found.pairs)),
        "revised": sum(any(r["accepted"] for r in p.plain.proof.get("revisions", ())) for p in found.pairs),
        "differences": [
            f"case {p.case.number} ({p.case.kind}), {p.path}: {', '.join(p.differences)}"
            for p in found.pairs
            if p.differences
        ],
        "routes_agree": found.routes_agree,
        "between_routes": found.between_routes,
    }


def _outcome(heard: Heard) -> str:
    return str(heard.proof.get("outcome") or f"refused with {heard.status}")
