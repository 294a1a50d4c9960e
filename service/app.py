"""The composition root: settings become objects here, and a gateway that runs until it is told to stop."""

import asyncio
import hashlib
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI

from principles_store.encoder import Precision
from principles_store.errors import StoreError as StoreFailure
from principles_store.store import PrinciplesStore
from service.assembly.engines import AnyEngine, engine_of, held_by, look_anew
from service.assembly.judges import judge_engine_of, judges_of, warn_of
from service.audit.ledger import FileLedger, MemoryLedger
from service.console import routes as console
from service.domain.deadline import Deadline
from service.domain.enquiry import Tenant
from service.domain.errors import EngineError, EngineRefused, EngineUnavailable, SettingsError
from service.engines.openai_http import OpenAIEngine
from service.engines.small_judge import SmallJudge
from service.gateway.account import salted
from service.gateway.desk import Desk, Tenants
from service.gateway.desk import Limits as GatewayLimits
from service.gateway.ports import AnswerCache, Quotas, Repeats
from service.gateway.protocol import BoundedProtocol
from service.gateway.server import Server
from service.gateway.web import create_web
from service.observability.logs import event, on_loop_error, set_up
from service.observability.metrics import Metrics
from service.pipeline.encoding import StoreEncoder
from service.pipeline.orchestrator import Limits, Orchestrator
from service.pipeline.ports import Judge
from service.pipeline.principles import StoredPrinciples
from service.pipeline.screen import Screen
from service.pipeline.screen.fitting import open_head
from service.settings import Settings
from service.state.link import Link
from service.state.memory import MemoryCache, MemoryQuotas
from service.state.redis import RedisCache, RedisQuotas
from service.state.repeats import MemoryRepeats, RedisRepeats

VERSION = version("clinalign-gateway")
_START_S = 60.0
_AGAIN_S = 3.0
# A small embedded model writes short answers; room for two of them and the guide must fit its context.
_EMBEDDED_DRAFT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of one gateway that have a beginning and an end, and its web."""

    web: FastAPI
    engine: AnyEngine
    judge_engine: OpenAIEngine | None
    store: PrinciplesStore
    ledger: FileLedger | MemoryLedger
    link: Link | None
    judges: tuple[Judge, ...] = ()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reach the engines, or keep trying while serving what needs none; close everything at the end.

        Raises:
            SettingsError: an engine was reached and cannot be used.

        """
        engines = [engine for engine in (self.engine, self.judge_engine) if engine is not None]
        again = [asyncio.create_task(_keep_reaching(one)) for one in engines if not await _reached(one)]
        warn_of(self.judges)
        try:
            yield
        finally:
            for task in again:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            for engine in engines:
                await engine.aclose()
            for judge in self.judges:
                if isinstance(judge, SmallJudge):
                    await judge.aclose()
            await self.ledger.aclose()
            if self.link is not None:
                await self.link.aclose()

    async def reload_principles(self) -> None:
        """Swap in the principles and the index as they are on disk now; if they can't be used, the old ones stay."""
        try:
            digest = await asyncio.to_thread(self.store.reload)
        except StoreFailure as error:
            event("principles.not_reloaded", level=logging.WARNING, reason=error.reason, where=error.where)
        else:
            event("principles.reloaded", version=digest)

    async def reload(self) -> None:
        """What SIGHUP asks for: the principles as they are on disk, and the checkpoint that is served now."""
        await self.reload_principles()
        await look_anew(self.engine)


def build(settings: Settings) -> Gateway:
    """Every object of a gateway, none of them started.

    Raises:
        SettingsError: a setting, the store or the rules cannot be used.

    """
    metrics = Metrics()
    store = _store(settings)
    engine, judge_engine = engine_of(settings), judge_engine_of(settings)
    link = Link(settings.redis_url.get_secret_value(), metrics=metrics) if settings.redis_url else None
    principles, ledger, audit_key = StoredPrinciples(store), _ledger(settings), _audit_key(settings)
    guide, accept = judges_of(settings, engine, judge_engine)
    orchestrator = Orchestrator(
        screen=Screen(region=settings.region, head=open_head(settings.screen_dir, store.encoder)),
        principles=principles,
        engine=engine,
        judge=guide,
        accept_judge=accept,
        readers=(judge_engine,) if judge_engine is not None else (),
        limits=_limits(settings),
        service_version=VERSION,
        held=lambda: held_by(engine),
    )
    desk = Desk(
        orchestrator=orchestrator,
        quotas=_quotas(link),
        cache=_cache(settings, link),
        repeats=_repeats(settings, link),
        ledger=ledger,
        shelf=principles,
        embedder=StoreEncoder(store),
        metrics=metrics,
        tenants=_tenants(settings, key=audit_key),
        ready=lambda: _ready(engine, judge_engine, link),
        audit_key=audit_key,
        service_version=VERSION,
        limits=_gateway_limits(settings),
        edition=lambda: store.digest,
    )
    web = create_web(desk)
    web.routes.extend(console())
    return Gateway(web, engine, judge_engine, store, ledger, link, tuple(dict.fromkeys((guide, accept))))


async def run(settings: Settings, *, when_ready: Callable[[str], Awaitable[None]] | None = None) -> None:
    """Serve until a signal; `when_ready` is given the gateway's address once it answers.

    A first signal to end drains for `drain_s` seconds, a second one cuts. SIGHUP reloads the principles and
    looks which checkpoint is served.
    """
    set_up(settings.log_level)
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    gateway = build(settings)
    config = uvicorn.Config(
        gateway.web,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        http=BoundedProtocol,
        lifespan="off",
    )
    server = Server(config, doors=gateway.web.state.doors, drain_s=settings.drain_s)
    async with gateway.running(), asyncio.TaskGroup() as group:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: group.create_task(gateway.reload()))
        serving = group.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        if server.started:
            address = _address(server)
            event("gateway.serving", address=address, version=VERSION)
            if when_ready is not None:
                group.create_task(when_ready(address))  # type: ignore[arg-type]


def _address(server: uvicorn.Server) -> str:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"


async def _reached(engine: AnyEngine) -> bool:
    """Whether the engine could be started; a server that is down may come up after us."""
    try:
        await engine.start(Deadline.after(_START_S))
    except EngineRefused as error:
        raise SettingsError(f"the upstream cannot be used: {error}") from error
    except EngineError as error:
        event("engine.not_reached", error=type(error).__name__)  # which one, `/readyz` says
        return False
    found = engine.abilities
    event("engine.reached", model=found.model, probabilities=found.probabilities, schema=found.json_schema)
    return True


async def _keep_reaching(engine: AnyEngine) -> None:
    """Try until it is reached. One that cannot be used is tried on too: it may be replaced by one that can."""
    reached = False
    while not reached:
        await asyncio.sleep(_AGAIN_S)
        try:
            reached = await _reached(engine)
        except SettingsError:
            event("engine.refused")


def _ready(engine: AnyEngine, judge_engine: OpenAIEngine | None, link: Link | None) -> tuple[bool, Sequence[str]]:
    """Redis may be down and answers still be given; without the engine and the judge they can't."""
    reasons = [] if link is None or link.up else ["redis does not answer; quotas are counted by each gateway alone"]
    needed = [(engine, "the model's server"), (judge_engine, "the judge's server")]
    missing = [f"{what} has not been reached yet" for one, what in needed if one is not None and not _is_reached(one)]
    return not missing, [*missing, *reasons]


def _is_reached(engine: AnyEngine) -> bool:
    try:
        _ = engine.abilities
    except EngineUnavailable:
        return False
    return True


def _store(settings: Settings) -> PrinciplesStore:
    try:
        return PrinciplesStore.open(
            settings.principles_dir,
            settings.encoder_dir,
            settings.index_dir,
            precision=Precision(settings.encoder_precision),
        )
    except StoreFailure as error:
        raise SettingsError(str(error)) from error


def _limits(settings: Settings) -> Limits:
    embedded = settings.upstream is None
    return Limits(
        draft_tokens=min(settings.draft_tokens, _EMBEDDED_DRAFT_TOKENS) if embedded else settings.draft_tokens,
        edits_tokens=min(settings.edits_tokens, _EMBEDDED_DRAFT_TOKENS) if embedded else settings.edits_tokens,
        max_revisions=settings.max_revisions,
    )


def _gateway_limits(settings: Settings) -> GatewayLimits:
    return GatewayLimits(
        max_body_bytes=settings.max_body_bytes,
        max_running=settings.max_running,
        cors_origins=settings.cors_origins,
        max_queued=settings.max_queued,
        keep_alive_s=settings.keep_alive_s,
        empty_deltas=settings.keep_alive_style == "delta",
        deadline_ms=settings.deadline_ms,
        max_revisions=settings.max_revisions,
    )


def _quotas(link: Link | None) -> Quotas:
    return RedisQuotas(link) if link is not None else MemoryQuotas()


def _cache(settings: Settings, link: Link | None) -> AnswerCache | None:
    if not settings.cache_ttl_s:
        return None
    return RedisCache(link, ttl_s=settings.cache_ttl_s) if link is not None else MemoryCache(ttl_s=settings.cache_ttl_s)


def _repeats(settings: Settings, link: Link | None) -> Repeats:
    ttl_s = settings.repeat_ttl_s
    return RedisRepeats(link, ttl_s=ttl_s) if link is not None else MemoryRepeats(ttl_s=ttl_s)


def _ledger(settings: Settings) -> FileLedger | MemoryLedger:
    return FileLedger(settings.audit_path) if settings.audit_path else MemoryLedger()


def _audit_key(settings: Settings) -> bytes:
    """Without one of its own a gateway's hashes mean nothing after it ends, and that is the safer default."""
    return settings.audit_key.get_secret_value().encode() if settings.audit_key else secrets.token_bytes(32)


def _tenants(settings: Settings, *, key: bytes) -> Tenants:
    _refuse_doubles(settings)
    by_key = {
        t.key_sha256: Tenant(
            name=t.name,
            failure_policy=t.failure_policy,
            release_line=t.release_line,
            requests_per_minute=t.requests_per_minute,
            provisional_drafts=t.provisional_drafts,
            policy_status=t.policy_status,
            engine_errors=t.engine_errors,
            chores="chore" in t.scopes,
            operator=t.operator,
        )
        for t in settings.tenants
        if t.key_sha256
    }
    for name, plain in _plain_keys(settings):
        by_key[hashlib.sha256(plain.encode()).hexdigest()] = _default_tenant(settings, name)
    # Whoever reaches a gateway without keys sits at its machine.
    everyone = replace(_default_tenant(settings, "local"), provisional_drafts=True, operator=True)
    known = {digest: salted(tenant, key=key) for digest, tenant in by_key.items()}
    return Tenants(known, open_to=None if known else salted(everyone, key=key))


def _default_tenant(settings: Settings, name: str) -> Tenant:
    return Tenant(
        name=name,
        failure_policy=settings.failure_policy,
        release_line=settings.release_line,
        policy_status=settings.policy_status,
        engine_errors=settings.engine_errors,
    )


def _refuse_doubles(settings: Settings) -> None:
    """Two tenants of one name would share quota and ledger, and of two with one key the second would win."""
    plain = _plain_keys(settings)
    names = [t.name for t in settings.tenants] + [name for name, _ in plain]
    keys = [t.key_sha256 for t in settings.tenants if t.key_sha256]
    keys += [hashlib.sha256(key.encode()).hexdigest() for _, key in plain]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"tenants: {', '.join(twice)} named twice, in [[tenants]] or CLINALIGN_API_KEYS")
    if len(set(keys)) < len(keys):
        raise SettingsError("tenants: two of them have the same API key")


def _plain_keys(settings: Settings) -> list[tuple[str, str]]:
    if settings.api_keys is None:
        return []
    pairs = [pair.strip().partition(":") for pair in settings.api_keys.get_secret_value().split(",")]
    if any(not name or not key for name, _, key in pairs):
        raise SettingsError("CLINALIGN_API_KEYS: write name:key, and a comma between two")
    return [(name, key) for name, _, key in pairs]
