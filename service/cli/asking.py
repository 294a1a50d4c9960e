"""One question to a running gateway, over HTTP as any client would."""

from typing import Any

import aiohttp

from service.domain.errors import GatewayError

_PATIENCE_S = 300


async def ask_gateway(url: str, question: str, *, key: str | None = None) -> dict[str, Any]:
    """The reply of POST /chat.

    Raises:
        GatewayError: the gateway cannot be reached, or refused the question.

    """
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = {"messages": [{"role": "user", "content": question}]}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.post(f"{url.rstrip('/')}/chat", json=body) as reply,
        ):
            parsed: dict[str, Any] = await reply.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise GatewayError(f"no gateway answers at {url}: start one with `clinalign serve`") from error
    if "error" in parsed:
        raise GatewayError(f"the gateway refused: {parsed['error']['message']}")
    return parsed
