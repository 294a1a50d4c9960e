"""POST /check: an answer that some other model wrote is judged, and mended where that is asked; or a batch of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.enquiry import Enquiry, Purpose
from service.domain.errors import GatewayError
from service.gateway.answering import Answering, answering_of
from service.gateway.bodies import CheckBody, CheckedAnswer
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.enquiring import CHECK, enquire
from service.gateway.errors import ErrorReply, error_reply, json_response
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.reading import checked, parsed
from service.gateway.replies import ChatReply

router = APIRouter(tags=["answers"])
# A few at once, so that a batch leaves room for people who wait for an answer.
_AT_ONCE = 4


class BatchReply(TypedDict):
    """One entry an item, in their order: the checked answer, or the error that this one met."""

    items: list[ChatReply | ErrorReply]


@router.post("/check", **documented(ChatReply | BatchReply, CheckedAnswer, CheckBody))
async def check(request: Request) -> Response:
    """Judge an answer against the principles that its question calls for. With `revise`, mend it as a draft is."""
    answering = answering_of(request)
    value = parsed(await request.body())
    if "items" in value:
        return await _check_batch(request, checked(value, CheckBody).items)
    body = checked(value, CheckedAnswer)
    work = answering.check(_enquire(request, body), body.answer, revise=body.revise)
    return json_response((await while_connected(request.receive, work)).reply)


def _enquire(request: Request, item: CheckedAnswer, *, at: str = "") -> Enquiry:
    limits = answering_of(request).desk.limits
    asked = enquire(item.messages, item, tenant=tenant_of(request), limits=limits, prefix=CHECK, at=at)
    return replace(asked, purpose=Purpose.ANSWER)  # whoever asks for verdicts gets them: no chore is done instead


async def _check_batch(request: Request, items: Sequence[CheckedAnswer]) -> Response:
    """All are read before the first is judged: a batch with a faulty item is refused whole."""
    for index, item in enumerate(items):
        _enquire(request, item, at=f"items[{index}].")
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(item: CheckedAnswer) -> ChatReply | ErrorReply:
        async with few:
            return await _one(answering_of(request), _enquire(request, item), item)

    async def batch() -> BatchReply:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
        return {"items": [task.result() for task in tasks]}

    return json_response(await while_connected(request.receive, batch()))


async def _one(answering: Answering, enquiry: Enquiry, item: CheckedAnswer) -> ChatReply | ErrorReply:
    try:
        return (await answering.check(enquiry, item.answer, revise=item.revise)).reply
    except GatewayError as error:
        return error_reply(error)
