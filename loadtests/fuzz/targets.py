"""Everything that reads what others wrote, as a function of bytes: it is read, or refused by the error that says so."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from loadtests.fuzz.bodies import BODIES
from loadtests.fuzz.whole import WholeRequest, seeds
from loadtests.robustness.model import events
from loadtests.robustness.sayings import Said
from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import EngineError, EngineGarbled, RequestError
from service.engines.chunk import Listing
from service.engines.failure import failure_of
from service.engines.reply import Reply
from service.engines.retry import retry_after
from service.engines.sse import Events
from service.gateway.reading import parsed
from service.pipeline.screen import Screen
from service.prompts import edits, rewrite, verdict

# Whatever is refused says so without the words that were in it. Names, which hold no space, may be told: a field's, or
# the type and code of an upstream's error.
_WORDS = "zqxw canary"


@dataclass(frozen=True, slots=True)
class Target:
    """`read` gives True for an input that was read, False for one that was refused; anything else it raises."""

    read: Callable[[bytes], bool]
    seeds: tuple[bytes, ...]
    is_json: bool = True


def _body(read: Callable[[dict[str, object]], object]) -> Callable[[bytes], bool]:
    def one(data: bytes) -> bool:
        try:
            read(parsed(data))
        except RequestError as error:
            _check_words(error)
            return False
        return True

    return one


def _check_words(error: Exception) -> None:
    if not str(error) or _WORDS in str(error) or len(str(error)) > 500:
        raise AssertionError("a refusal says nothing, too much, or a person's words")


def _stream(data: bytes) -> bool:
    """A reply's stream, whole and cut into pieces as the network cuts it: the same must come of it."""
    cut = 1 + (data[0] if data else 0) % 61
    whole = _replied([data])
    pieces = _replied([data[at : at + cut] for at in range(0, len(data), cut)])
    if whole != pieces:
        raise AssertionError("where the network cuts a stream changes what is read")
    return isinstance(whole, tuple)


def _replied(pieces: list[bytes]) -> object:
    reply, read = Reply(), Events()
    try:
        for piece in pieces:
            for data in read.feed(piece):
                if reply.take(data):
                    done = reply.completion()
                    return done.text, done.finish_reason, done.tool_calls, done.usage
        done = reply.completion()
    except EngineError as error:
        _check_words(error)
        return type(error)
    return done.text, done.finish_reason, done.tool_calls, done.usage


def _chunk(data: bytes) -> bool:
    """One event's data, and whatever is then known of the reply."""
    reply = Reply()
    try:
        reply.take(data.decode(errors="replace"))
    except EngineError as error:
        _check_words(error)
        return False
    with suppress(EngineGarbled):  # one event is seldom a whole reply
        reply.completion()
    return True


def _failure(data: bytes) -> bool:
    """The body of an error reply, its Retry-After, and a listing of models."""
    error = failure_of(300 + len(data) % 300, data, after_s=retry_after(data[:40].decode("latin-1")))
    _check_words(error)
    try:
        Listing.model_validate_json(data)
    except ValueError:
        return False
    return True


_DRAFT = "Rest and drink enough. You may take ibuprofen! Is it worse? See a doctor."


def _edits(data: bytes) -> bool:
    """A reply of edits, and what becomes of the draft."""
    reply = data.decode(errors="replace")
    try:
        mended = edits.apply(_DRAFT, edits.read(reply))
    except edits.EditsRejected as error:
        _check_words(error)
        return False
    mended.encode()
    if not mended.strip():
        raise AssertionError("edits left nothing")
    return True


def _verdict(data: bytes) -> bool:
    """A verdict in JSON, and a rewrite."""
    reply = data.decode(errors="replace")
    rewrite.read(reply, duty="Call an ambulance.")
    return verdict.read_json(reply).present is not None


@dataclass
class _Screened:
    """The red-flag rules over any text: evidence lies within it."""

    screen: Screen | None = field(default=None)

    def __call__(self, data: bytes) -> bool:
        self.screen = self.screen or Screen()
        text = data.decode(errors="replace")
        conversation = Conversation((Message(Role.USER, text),))
        flags = self.screen.screen(conversation, audience=None)
        if any(not 0 <= flag.evidence.start < flag.evidence.end <= len(text) for flag in flags):
            raise AssertionError("the evidence of a red flag lies outside the text")
        return bool(flags)


_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
_CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_STREAMS = (
    b"".join(events(Said("Rest. Drink.", (), "stop", None, _USAGE))),
    b"".join(events(Said("", (_CALL,), "tool_calls", None, _USAGE))),
    b"".join(events(Said("Yes", (), "length", 0.9, _USAGE), top=20)),
    b': ping\r\ndata: {"error": {"message": "zqxw canary", "code": 500}}\r\n\r\n',
)
_CHUNKS = tuple(piece.removeprefix(b"data: ") for stream in _STREAMS[:3] for piece in stream.split(b"\n\n")[1:3])
_EDITS = orjson.dumps(
    {
        "edits": [
            {"op": "insert", "sentence": 0, "text": "zqxw canary"},
            {"op": "replace", "sentence": 1, "text": "Rest."},
            {"op": "delete", "sentence": 2, "text": ""},
        ]
    }
)
_SAYINGS = tuple(
    text.encode()
    for text in (
        "I have crushing chest pain and my left arm is numb.",
        "No chest pain, but my father had a stroke in 2010.",
        "Tengo un dolor opresivo en el pecho.",
        "我胸口剧烈疼痛",
        "BP 210/120, spo2 82",
    )
)


def targets() -> dict[str, Target]:
    """By name; bodies of requests first, then what an upstream says, then what a model writes."""
    return {
        **{f"body: {name}": Target(_body(read), (_seed(body),)) for name, (body, read) in BODIES.items()},
        "whole request": Target(WholeRequest(), seeds()),
        "upstream: stream": Target(_stream, _STREAMS, is_json=False),
        "upstream: chunk": Target(_chunk, _CHUNKS),
        "upstream: error and listing": Target(
            _failure, (b'{"error":{"message":"zqxw canary","code":"x"}}', b'{"data":[{"id":"m"}]}')
        ),
        "model: edits": Target(_edits, (_EDITS,)),
        "model: verdict, rewrite": Target(_verdict, (b'{"present": true}',)),
        "text: red-flag rules": Target(_Screened(), _SAYINGS, is_json=False),
    }


def _seed(body: dict[str, object]) -> bytes:
    """The good body, its texts with words that must not come back."""
    return orjson.dumps(body).replace(b"A cough.", b"A cough, zqxw canary.")
