"""Idempotency-Key: a request that is sent again gets the answer that it got, or waits for the one it is getting."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.domain.enquiry import Tenant
from service.domain.errors import Conflict, GatewayError, InvalidRequest, Overloaded
from service.gateway.connected import ClientGone, while_connected
from service.gateway.enquiring import PURPOSE
from service.gateway.errors import error_response
from service.gateway.kept_reply import claim_of, fingerprint_of, is_finished, kept, replay
from service.gateway.ports import Repeats
from service.gateway.shared_reply import SharedReply

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}")
_MOST_READERS = 64


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request by name. The fingerprint is keyed by the caller's own key, so that nobody can guess the words in it."""

    name: str
    fingerprint: str
    body: bytes


class Idempotency:
    """Shares one piece of work among requests with the same key, and keeps its reply when it is whole and no failure.

    Within a process the requests share the work itself: it ends when the last of them leaves. Between processes one
    holds a claim, renewed every `renew_s` seconds, and the others look again every `look_s`.
    """

    def __init__(self, app: ASGIApp, *, repeats: Repeats, renew_s: float = 10.0, look_s: float = 0.1) -> None:
        self._app = app
        self._repeats = repeats
        self._renew_s = renew_s
        self._look_s = look_s
        self._running: dict[str, SharedReply] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        key = Headers(scope=scope).get(HEADER) if scope["type"] == "http" and scope["method"] == "POST" else None
        if key is None:
            await self._app(scope, receive, send)
            return
        try:
            asked = _asked(scope, key, await _body(receive))
            if shared := await while_connected(receive, self._give(asked, scope, send)):
                await shared.closed()
        except GatewayError as error:
            await error_response(error)(scope, receive, send)

    async def _give(self, asked: _Asked, scope: Scope, send: Send) -> SharedReply | None:
        """The whole reply; gives the work that wrote it, if there still is one."""
        claim = claim_of(asked.fingerprint)
        while True:
            shared = self._running.get(asked.name)
            if shared is not None and not shared.is_given_up:
                _check(asked, shared.fingerprint)
                return await _read(shared, scope, send)
            found = await self._repeats.claim(asked.name, claim)
            if found is None:
                return await _read(self._start(asked, claim, scope), scope, send)
            _check(asked, fingerprint_of(found))
            if is_finished(found):
                await replay(found, scope, send)
                return None
            await asyncio.sleep(self._look_s)

    def _start(self, asked: _Asked, claim: bytes, scope: Scope) -> SharedReply:
        shared = self._running[asked.name] = SharedReply(asked.fingerprint, asked.body, scope)
        task = asyncio.create_task(self._work(asked, claim, shared))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return shared

    async def _work(self, asked: _Asked, claim: bytes, shared: SharedReply) -> None:
        try:
            async with self._held(asked.name, claim):
                await self._app(shared.scope, shared.receive, shared.send)
        except ClientGone:
            pass
        except Exception as error:  # noqa: BLE001 - whoever waits raises it, so that the process's edge has it
            shared.failure = error
        finally:
            shared.end()
            try:
                await self._settle(asked, claim, shared)
            finally:
                if self._running.get(asked.name) is shared:  # one that came after it was given up may hold the name
                    del self._running[asked.name]

    async def _settle(self, asked: _Asked, claim: bytes, shared: SharedReply) -> None:
        reply = None if shared.failure else kept(asked.fingerprint, shared.messages, scope=shared.scope)
        if reply is None:
            await self._repeats.drop(asked.name, claim)
        else:
            await self._repeats.finish(asked.name, claim, reply)

    @asynccontextmanager
    async def _held(self, name: str, claim: bytes) -> AsyncIterator[None]:
        """Renew the claim for as long as the work goes on."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._renew_s)
                await self._repeats.renew(name, claim)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})


def _asked(scope: Scope, key: str, body: bytes) -> _Asked:
    if not _KEY.fullmatch(key):
        raise InvalidRequest(f"{HEADER}: should be 1 to 255 visible ASCII characters", param=HEADER)
    tenant: Tenant = scope["state"]["tenant"]
    name = hashlib.sha256(f"{tenant.name}\0{key}".encode()).hexdigest()
    where = scope["path"].encode() + b"?" + scope["query_string"]
    if purpose := Headers(scope=scope).get(PURPOSE):
        where += b" " + purpose.encode()
    return _Asked(name, hmac.new(key.encode(), where + b"\0" + body, hashlib.sha256).hexdigest(), body)


async def _body(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _check(asked: _Asked, fingerprint: str) -> None:
    if not hmac.compare_digest(asked.fingerprint, fingerprint):
        raise Conflict(f"{HEADER}: this key was sent with another request: use a new key", param=HEADER)


async def _read(shared: SharedReply, scope: Scope, send: Send) -> SharedReply:
    if shared.readers >= _MOST_READERS:
        raise Overloaded("as many requests with this key wait as may", retry_after_s=1.0)
    try:
        await shared.read(send)
    finally:
        scope["route"] = shared.scope.get("route")
    return shared
