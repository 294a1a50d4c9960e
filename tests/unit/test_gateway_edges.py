"""What the HTTP tests do not reach: a client that hangs up, other ASGI scopes, the router's own refusals."""

import asyncio
import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from service.domain.deadline import Deadline
from service.gateway.connected import ClientGone, while_connected
from service.gateway.errors import on_validation_error
from service.gateway.gate import Gate
from service.gateway.openai_body import CompletionBody, wanted_of
from service.gateway.reading import checked
from service.gateway.web import create_web
from service.observability.metrics import Metrics
from tests.gateway_fakes import COUGH, FakeDesk


def messages(*kinds: str) -> Any:
    left = list(kinds)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return {"type": left.pop(0)}

    return receive


async def test_work_ends_with_its_client_and_not_before() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ClientGone):
        await while_connected(messages("http.request", "http.disconnect"), work())
    assert ended.is_set()


async def test_the_result_and_the_error_of_the_work_are_its_own() -> None:
    async def works() -> int:
        return 7

    async def fails() -> int:
        raise KeyError

    assert await while_connected(messages(), works()) == 7
    with pytest.raises(KeyError):
        await while_connected(messages(), fails())


async def test_a_lifespan_passes_the_middleware() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    web = create_web(FakeDesk().desk)
    await web({"type": "lifespan"}, messages("lifespan.startup", "lifespan.shutdown"), send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_parameter_that_the_router_refuses_is_named_and_not_repeated() -> None:
    error = RequestValidationError([{"loc": ("query", "limit"), "msg": "zqxw", "input": "zqxw", "type": "int"}])
    response = await on_validation_error(Request({"type": "http"}), error)
    said = json.loads(bytes(response.body))["error"]
    assert (response.status_code, said["param"]) == (400, "limit")
    assert "zqxw" not in said["message"]


def test_any_json_object_can_be_asked_for() -> None:
    body = checked({**COUGH, "response_format": {"type": "json_object"}}, CompletionBody)
    shape = wanted_of(body).shape
    assert (shape.json_object, shape.structured, shape.schema) == (True, True, None)


async def test_places_are_given_back_whatever_ends_them() -> None:
    gate = Gate(running=1, queued=0, metrics=Metrics())
    for _ in range(3):
        with pytest.raises(KeyError), gate.ticket():
            async with gate.place(Deadline.after(1)):
                raise KeyError
    with gate.ticket():
        async with gate.place(Deadline.after(1)):
            pass
