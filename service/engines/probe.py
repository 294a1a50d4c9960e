"""What a server can do, found by asking it: its model, probabilities, JSON schemas, cached tokens."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from service.domain.completion import Ask, Completion, Prompt
from service.domain.conversation import Message, Role
from service.domain.enquiry import Sampling, Shape
from service.domain.errors import EngineGarbled, EngineRefused
from service.engines.chunk import Listed, Listing
from service.engines.connection import Connection
from service.engines.endpoint import Endpoint
from service.engines.published import digest_in
from service.pipeline.ports import Abilities
from service.prompts import verdict

# Longer than one cache block of any server known (128 tokens), so that the second time some of it is cached.
_LONG = "Is water wet? " * 48 + "Reply with one word: Yes or No."
# Nothing here asks for JSON: only a server that honours the schema replies with it.
_UNSHAPED = "Is water wet? Reply in plain words."
_OK = 200
_NOT_FOUND = 404


async def served(connection: Connection, endpoint: Endpoint) -> Listed:
    """The model to ask for, as the server lists it.

    Raises:
        EngineRefused: the server lists no model, or not the one that is set.
        EngineError: it cannot be reached or read.

    """
    try:
        listing = Listing.model_validate_json(await connection.fetch("GET", f"{endpoint.api}/models"))
    except ValidationError:
        raise EngineGarbled("the engine's listing of models cannot be read") from None
    for listed in listing.data:
        if endpoint.model in {"", listed.id}:
            return listed
    names = ", ".join(listed.id for listed in listing.data) or "none"
    raise EngineRefused(f"the engine serves {names}, not the model {endpoint.model!r}", status=_NOT_FOUND)


async def probe(complete: Callable[[Ask], Awaitable[Completion]], listed: Listed, endpoint: Endpoint) -> Abilities:
    """What the model can do.

    Raises:
        EngineRefused: neither probabilities nor a JSON schema: no verdict could be read.
        EngineError: it cannot be reached or read.

    """
    probabilities, cached_tokens = await _probabilities(complete)
    json_schema = await _json_schema(complete)
    if not probabilities and not json_schema:
        raise EngineRefused(
            f"the engine's model {listed.id!r} gives neither token probabilities nor JSON under a schema, "
            "so no verdict could be read: serve it with logprobs or structured output",
            status=_OK,
        )
    return Abilities(
        model=listed.id,
        context_tokens=listed.max_model_len or endpoint.context_tokens,
        probabilities=probabilities,
        json_schema=json_schema,
        cached_tokens=cached_tokens,
        checkpoint_digest=endpoint.checkpoint_digest or digest_in(listed.root),
        demonstration=endpoint.demonstration or listed.demonstration,
        reasoning=endpoint.reasoning,
    )


async def _probabilities(complete: Callable[[Ask], Awaitable[Completion]]) -> tuple[bool, bool]:
    """Whether probabilities come, and whether cached tokens are reported when a prompt comes again."""
    try:
        first = await complete(_ask(_LONG, top_probabilities=5))
    except EngineRefused:
        # Some servers answer 400 to logprobs: see whether it is that.
        await complete(_ask(_LONG))
        again = await complete(_ask(_LONG))
        return False, again.usage.cached_tokens > 0
    again = await complete(_ask(_LONG, top_probabilities=5))
    return bool(first.first_token), again.usage.cached_tokens > 0


async def _json_schema(complete: Callable[[Ask], Awaitable[Completion]]) -> bool:
    shape = Shape(schema=verdict.SCHEMA, schema_name="verdict")
    try:
        reply = await complete(_ask(_UNSHAPED, shape=shape, max_tokens=32))
    except EngineRefused:
        return False
    return verdict.read_json(reply.text).present is not None


def _ask(text: str, *, shape: Shape | None = None, max_tokens: int = 1, top_probabilities: int = 0) -> Ask:
    prompt = Prompt((Message(Role.USER, text),), shape or Shape())
    return Ask(prompt, Sampling(temperature=0.0, max_tokens=max_tokens), top_probabilities)


QUESTION = _ask(_UNSHAPED)
