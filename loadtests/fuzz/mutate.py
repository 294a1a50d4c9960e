"""JSON is changed where it means something: a value, a name, a place in the tree; and sometimes its bytes."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import orjson

# Words that some reader somewhere looks for, and values at the edges of types.
_WORDS = (
    "type", "role", "content", "text", "function", "name", "user", "assistant", "tool", "system", "message", "auto",
    "input_text", "image_url", "messages", "input", "choices", "delta", "index", "error", "usage", "logprobs", "edits",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, -(2**63), 2**64 - 1, 0.5, 1e308, -0.0, "", " ", "a" * 300, "\u202e\u0301🤒",
    "<|im_start|>", [], {}, [[]], [{}], {"type": "text", "text": "a"}, ["a", 1, None],
)  # fmt: skip
_BYTES = (b"\xff", b"\\ud800", b"\\u0000", b"NaN", b"[" * 70, b'"', b"\xef\xbb\xbf", b"1e999", b"{}")
Mutate = Callable[[bytes, int], bytes]


def json_mutator(mutate: Mutate, *, seeds: Sequence[bytes]) -> Callable[[bytes, int, int], bytes]:
    """A custom mutator for atheris: the tree mostly, and the bytes now and then by atheris's own `mutate`.

    Half of the time it begins anew with one of the good `seeds`: what was changed often is always refused, and early.
    """

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        data = chance.choice(seeds) if chance.random() < 0.5 else data
        try:
            tree = orjson.loads(data)
        except orjson.JSONDecodeError:
            return mutate(data, max_size)
        if chance.random() < 0.15:
            return mutate(data, max_size)
        for _ in range(chance.randint(1, 3)):
            tree = _changed(tree, chance)
        try:
            written = orjson.dumps(tree)
        except orjson.JSONEncodeError:
            return data
        if chance.random() < 0.1:
            at = chance.randrange(len(written) + 1)
            written = written[:at] + chance.choice(_BYTES) + written[at:]
        return written if len(written) <= max_size else data

    return change


def _changed(tree: Any, chance: random.Random) -> Any:
    places = list(_places(tree))
    if not places:
        return chance.choice(_VALUES)
    node, step = chance.choice(places)
    match chance.randrange(6):
        case 0:
            node.pop(step)
        case 1 if isinstance(node, dict):
            node[chance.choice(_WORDS)] = node.pop(step)
        case 2 if isinstance(node, dict):
            node[chance.choice(_WORDS)] = _value(chance)
        case 3 if isinstance(node, list):
            node.insert(step, node[step])
        case 4 if isinstance(node[step], str):
            node[step] = _text(node[step], chance)
        case _:
            node[step] = _value(chance)
    return tree


def _value(chance: random.Random) -> Any:
    return orjson.loads(orjson.dumps(chance.choice((chance.choice(_VALUES), chance.choice(_WORDS)))))


def _text(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + str(chance.choice(_VALUES)) + text[at + chance.randrange(3) :]


def _places(tree: Any) -> Sequence[tuple[Any, Any]]:
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        steps = (
            list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
        )
        found += [(node, step) for step, _ in steps]
        todo += [child for _, child in steps]
    return found
