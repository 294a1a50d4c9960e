"""An upstream that misbehaves, and what a client sees of it: status, outcome, finish_reason, duty, time, metrics."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import orjson
from aiohttp import web

from loadtests.processes import gateway
from loadtests.robustness.faults import Trouble, troubles
from loadtests.robustness.model import DeterministicModel
from loadtests.robustness.routes import events
from loadtests.robustness.sayings import Json, Manner

# A word that is in no prompt, principle or message of ours: wherever it turns up, it is the patient's.
CANARY = "zqxwcanary"
QUESTION = f"I have crushing chest pain and my left arm is numb right now. My name is {CANARY}."
DEADLINE_MS = 1500
_PATIENT_MS = 20_000  # for what is to be overcome
# A model whose every draft passes at once, until it is troubled.
WELL = Manner(complies=1.0, stubborn=0.0, long=0.0)
_PATH = "/v1/chat/completions"
_OUTCOME = re.compile(
    r'^clinalign_outcomes_total\{outcome="(?P<o>\w+)",reason="(?P<r>\w+)"\} (?P<n>\S+)$', re.MULTILINE
)
_WELL_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One reply as a client sees it. `form` tells what came over the wire, in order."""

    status: int
    outcome: str | None
    reason: str | None
    finish_reason: str | None
    content: str
    duty: str
    form: str
    seconds: float
    raw: str = field(repr=False)

    @property
    def duty_held(self) -> bool:
        """Whether what the person reads begins with the red flag's advice (several flags share its first sentence)."""
        return bool(self.duty) and self.content.startswith(self.duty.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Row:
    """One trouble: what was seen plain and streamed, the upstream calls it took, outcomes counted, and the aftermath.

    `leaks` are places where the patient's words turned up; `running` upstream calls left a second later; `well_s` is
    how long after the trouble was over an answer was released again.
    """

    trouble: Trouble
    plain: Seen
    streamed: Seen
    calls: int
    counted: Counter[str]
    leaks: tuple[str, ...]
    running: int
    well_s: float


@dataclass
class Site:
    """The model's server, which can go away and come back at the same port."""

    model: DeterministicModel
    port: int = 0
    _runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Listen."""
        self._runner = web.AppRunner(self.model.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Listen no more, and cut every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@asynccontextmanager
async def open_site(model: DeterministicModel) -> AsyncIterator[Site]:
    """A server on a free port."""
    site = Site(model)
    await site.open()
    try:
        yield site
    finally:
        await site.close()


async def measure(*, progress: Callable[[int], None]) -> list[Row]:
    """Every row, through one gateway with its default settings, which is well again before the next."""
    model = DeterministicModel(manner=WELL)
    async with (
        open_site(model) as site,
        gateway("--upstream", f"http://127.0.0.1:{site.port}/v1") as running,
        aiohttp.ClientSession(running.address) as client,
    ):
        rows = []
        for trouble in troubles():
            rows.append(await row(client, site, trouble, log=running.log))
            progress(1)
        return rows


async def row(
    client: aiohttp.ClientSession, site: Site, trouble: Trouble, *, log: list[str], deadline_ms: int = DEADLINE_MS
) -> Row:
    """One trouble, met plain and streamed; the server is well in between and afterwards."""
    model, logged = site.model, len(log)
    counted: Counter[str] = Counter()
    seen, calls, running, well_s = [], 0, 0, 0.0
    for stream in (False, True):
        before, made = await _counted(client), len(model.calls)
        fresh = next(t for t in troubles() if t.name == trouble.name)  # a fault that counts begins anew
        async with _troubled(site, fresh):
            waits_ms = deadline_ms if trouble.reason else _PATIENT_MS
            seen.append(await _ask(client, stream=stream, deadline_ms=waits_ms))
            calls += len(model.calls) - made
            running += await _left(model)
        counted += await _counted(client) - before
        well_s = max(well_s, await _well(client))
    leaks = [f"reply {n}" for n, one in enumerate(seen) if CANARY in one.raw]
    told = {"log": "".join(log[logged:]), "metrics": await _metrics(client)}
    leaks += [name for name, text in told.items() if CANARY in text]
    return Row(trouble, seen[0], seen[1], calls, counted, tuple(leaks), running, well_s)


@asynccontextmanager
async def _troubled(site: Site, trouble: Trouble) -> AsyncIterator[None]:
    model = site.model
    if trouble.closed:
        await site.close()
    if trouble.fault is not None:
        model.faults[trouble.stage] = trouble.fault
    model.manner = replace(WELL, complies=trouble.complies)
    try:
        yield
    finally:
        model.faults.clear()
        model.manner = WELL
        if trouble.closed:
            await site.open()


async def _ask(client: aiohttp.ClientSession, *, stream: bool, deadline_ms: int) -> Seen:
    body: Json = {
        "messages": [{"role": "user", "content": QUESTION}],
        "clinalign": {"options": {"deadline_ms": deadline_ms}},
        "stream": stream,
    }
    began = time.monotonic()
    async with client.post(_PATH, json=body) as reply:
        raw = await reply.text()
    seconds = time.monotonic() - began
    if reply.status != 200 or not stream:
        return _whole(reply.status, raw, seconds)
    return _streamed(raw, seconds)


def _whole(status: int, raw: str, seconds: float) -> Seen:
    said = orjson.loads(raw)
    if status != 200:
        form = f"error {said['error']['code']}"
        return Seen(status, None, None, None, "", "", form, seconds, raw)
    choice = said["choices"][0]
    return _seen(said["clinalign"], choice["finish_reason"], choice["message"]["content"] or "", "JSON", seconds, raw)


def _streamed(raw: str, seconds: float) -> Seen:
    told = list(events(raw.encode()))
    if "error" in told[-1]:
        return Seen(200, None, None, None, "", "", "role, error", seconds, raw)
    deltas = [chunk["choices"][0]["delta"] for chunk in told]
    content = "".join(delta.get("content") or "" for delta in deltas)
    end = told[-1]["choices"][0]["finish_reason"]
    pieces = sum(bool(delta.get("content")) for delta in deltas)
    done = ", [DONE]" if raw.endswith("data: [DONE]\n\n") else ""
    form = f"role, {pieces} deltas, {end}{done}"
    return _seen(told[-1]["clinalign"], end, content, form, seconds, raw)


def _seen(proof: Json, finish_reason: str, content: str, form: str, seconds: float, raw: str) -> Seen:
    duty = proof["red_flags"][0]["advice"] if proof["red_flags"] else ""
    return Seen(200, proof["outcome"], proof["outcome_reason"], finish_reason, content, duty, form, seconds, raw)


async def _left(model: DeterministicModel) -> int:
    """Upstream calls that still run a second later; the wait ends as soon as none does."""
    until = time.monotonic() + 1.0
    while model.running and time.monotonic() < until:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)
    return len(model.running)


async def _well(client: aiohttp.ClientSession) -> float:
    """Seconds until an answer is released again; the engine's circuit may be open for some."""
    began = time.monotonic()
    async with asyncio.timeout(_WELL_WITHIN_S):
        while (await _ask(client, stream=False, deadline_ms=_PATIENT_MS)).outcome != "released":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
    return time.monotonic() - began


async def _metrics(client: aiohttp.ClientSession) -> str:
    async with client.get("/metrics") as reply:
        return await reply.text()


async def _counted(client: aiohttp.ClientSession) -> Counter[str]:
    found = _OUTCOME.finditer(await _metrics(client))
    return Counter({f"{one['o']} {one['r']}": int(float(one["n"])) for one in found})


def faults_of(found: Row) -> list[str]:
    """What of a row breaks a promise: nothing may."""
    wanted = found.trouble.reason
    faults = [f"the patient's words are in: {', '.join(found.leaks)}"] if found.leaks else []
    for name, one in (("plain", found.plain), ("streamed", found.streamed)):
        if one.status >= 500:
            faults.append(f"{name}: a {one.status} that clients send again")
        if (one.outcome == "released") != (wanted is None):
            faults.append(f"{name}: {one.outcome}, a failed check must not pass, and one that was overcome should")
        if one.reason != wanted:
            faults.append(f"{name}: the reason is {one.reason}, not {wanted}")
        if one.finish_reason != ("stop" if wanted is None else "content_filter"):
            faults.append(f"{name}: finish_reason {one.finish_reason}")
        if not one.duty_held:
            faults.append(f"{name}: the red flag's advice does not lead the answer")
    if found.plain.content != found.streamed.content:
        faults.append("the stream says something else")
    if found.running:
        faults.append(f"{found.running} upstream calls left running")
    if sum(found.counted.values()) != 2:
        faults.append("the metrics do not count two answers")
    return faults
