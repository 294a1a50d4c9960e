"""Fit: a conversation that is longer than the model's context beside its tools loses its oldest turns, and says so."""

import math

from service.domain.conversation import Conversation, Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Enquiry
from service.domain.errors import InvalidRequest
from service.pipeline.ports import Engine

# Tokens that a chat template spends on a turn, rounded up.
_PER_TURN = 8
# Bytes of UTF-8 a token holds at the least favourable, where no tokenizer can be asked: scripts that the model
# hardly knows come near two.
_CAREFUL_BYTES_PER_TOKEN = 2.0


async def fit(enquiry: Enquiry, *, budget: int, engine: Engine) -> Conversation:
    """The conversation, or its newest part that fits `budget` tokens beside the tools, from a user's turn on.

    The app's instructions always stay; where the whole was asked for everything does. A byte-level tokenizer never
    makes more tokens than bytes, so a short conversation asks nobody.

    Raises:
        InvalidRequest: the last turn, the instructions and the tools alone do not fit, or the whole does not.

    """
    conversation, tools = enquiry.conversation, enquiry.shape.tools
    offered = "\n".join(f"{tool.name}\n{tool.description}\n{tool.parameters}" for tool in tools)
    spoken = _bytes(*conversation.messages) + _PER_TURN * len(conversation.messages)
    if spoken + len(offered.encode()) + _PER_TURN * len(tools) <= budget:
        return conversation
    rate = await _tokens_per_byte(conversation, offered, engine=engine, deadline=enquiry.deadline)
    cost = {id(m): math.ceil(_bytes(m) * rate) + _PER_TURN for m in conversation.messages}
    room = budget - math.ceil(len(offered.encode()) * rate) - _PER_TURN * len(tools)
    if sum(cost.values()) <= room:
        return conversation
    kept = [m for m in conversation.messages if m.role in {Role.SYSTEM, Role.DEVELOPER}]
    newest = _newest(conversation.turns, cost=cost, left=room - sum(cost[id(m)] for m in kept))
    if enquiry.options.whole or not any(m.role is Role.USER for m in newest):
        what = "conversation" if enquiry.options.whole else "last message"
        raise InvalidRequest(
            f"the {what} is longer than the model's context allows ({max(0, room)} tokens for the conversation)",
            param="messages",
            code="context_length_exceeded",
        )
    return Conversation((*kept, *newest))


def _newest(turns: tuple[Message, ...], *, cost: dict[int, int], left: int) -> list[Message]:
    """The longest tail that fits and starts with a user's turn."""
    tail: list[Message] = []
    for turn in reversed(turns):
        left -= cost[id(turn)]
        if left < 0:
            break
        tail.insert(0, turn)
    while tail and tail[0].role is not Role.USER:
        tail.pop(0)
    return tail


async def _tokens_per_byte(conversation: Conversation, offered: str, *, engine: Engine, deadline: Deadline) -> float:
    text = "\n".join([*(m.content for m in conversation.messages), offered])
    counted = await engine.count_tokens(text, deadline=deadline)
    # A tenth is added: parts of a text may hold more tokens to the byte than the whole.
    return 1.1 * counted / max(1, len(text.encode())) if counted is not None else 1 / _CAREFUL_BYTES_PER_TOKEN


def _bytes(*messages: Message) -> int:
    return sum(
        len(m.content.encode()) + sum(len(c.name.encode()) + len(c.arguments.encode()) for c in m.tool_calls)
        for m in messages
    )
