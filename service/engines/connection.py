"""The pooled HTTP connection to one upstream server: streams in, plain JSON in, and failures by name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp

from service.domain.errors import EngineGarbled, EngineSilent
from service.engines.endpoint import Endpoint
from service.engines.failure import failure_of
from service.engines.retry import TryAgain, retry_after
from service.engines.sse import Events

_MAX_PLAIN_BYTES = 4 << 20
_MAX_ERROR_BYTES = 64 << 10
_KEEP_ALIVE_S = 15.0
# After [DONE] the end of the body is as good as here; waiting for it keeps the connection for the next call.
_END_OF_BODY_S = 0.2
# Counting tokens and looking at the listing do not wait behind completions.
_BESIDES = 4
_FIRST_NOT_OK = 300


class Connection:
    """Speaks to `endpoint`; opened by its first call, closed by `aclose`, and open again after that if need be."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None

    async def stream(self, url: str, body: bytes, *, take: Callable[[str], bool]) -> None:
        """Post, and give each event's data to `take` until it says that it was the last.

        Cancelled, or when `take` raises, it closes the connection, which is how a server learns to stop.

        Raises:
            EngineError: the server cannot be reached, answered an error, or broke off.

        """
        async with self._exchange("POST", url, body) as response:
            if response.content_type != "text/event-stream":
                raise EngineGarbled(f"the engine answered {response.content_type} where a stream was asked for")
            events = Events()
            async for piece in response.content.iter_any():
                for data in events.feed(piece):
                    if take(data):
                        await _end(response)
                        return

    async def fetch(self, method: str, url: str, body: bytes | None = None) -> bytes:
        """The whole body of a small reply.

        Raises:
            EngineError: as `stream`.

        """
        async with self._exchange(method, url, body) as response:
            return await _at_most(response, _MAX_PLAIN_BYTES)

    async def aclose(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def _exchange(self, method: str, url: str, body: bytes | None) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._send(method, url, body)
        try:
            if response.status >= _FIRST_NOT_OK:
                after_s = retry_after(response.headers.get("Retry-After"))
                raise failure_of(response.status, await _at_most(response, _MAX_ERROR_BYTES), after_s=after_s)
            yield response
        except aiohttp.SocketTimeoutError as error:
            raise EngineSilent(f"the engine was silent for {self._endpoint.read_timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineGarbled(f"the engine broke off its answer ({type(error).__name__})") from error
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _send(self, method: str, url: str, body: bytes | None) -> aiohttp.ClientResponse:
        session = self._open()
        try:
            try:
                return await session.request(method, url, data=body, allow_redirects=False)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # Most likely a kept connection that the server had closed meanwhile: that is not yet a failure.
                return await session.request(method, url, data=body, allow_redirects=False)
        except aiohttp.SocketTimeoutError as error:
            raise EngineSilent(f"the engine was silent for {self._endpoint.read_timeout_s:g} s") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise TryAgain(f"the engine cannot be reached ({type(error).__name__})") from error
        except aiohttp.ClientError as error:
            raise EngineGarbled(f"the engine does not speak HTTP ({type(error).__name__})") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            endpoint = self._endpoint
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if endpoint.api_key:
                headers["Authorization"] = f"Bearer {endpoint.api_key}"
            limit = endpoint.max_concurrency + _BESIDES
            connector = (
                aiohttp.TCPConnector(limit=limit, keepalive_timeout=_KEEP_ALIVE_S)
                if endpoint.keep_alive
                else aiohttp.TCPConnector(limit=limit, force_close=True)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=endpoint.connect_timeout_s, sock_read=endpoint.read_timeout_s
                ),
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise EngineGarbled(f"the engine's answer is longer than {limit} bytes")
    return bytes(body)


async def _end(response: aiohttp.ClientResponse) -> None:
    # Whatever happens after the last event, the answer is whole.
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_END_OF_BODY_S):
            while not response.content.at_eof():
                await response.content.readany()
