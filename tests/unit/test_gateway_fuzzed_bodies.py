"""Bodies with one thing wrong in them: read, or refused by a 4xx; never anything else."""

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtests.fuzz.bodies import BODIES
from service.domain.errors import RequestError
from service.gateway.reading import parsed

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
)
WORDS = st.sampled_from(
    ["type", "role", "content", "text", "function", "name", "user", "message", "input_image", "auto"]
)
VALUES = st.recursive(
    SCALARS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything inside a body."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, child in steps for found in ((*path, step), *places(child, (*path, step)))]


@pytest.mark.parametrize(("body", "read"), BODIES.values(), ids=BODIES.keys())
def test_the_body_without_anything_wrong_is_read(
    body: dict[str, Any], read: Callable[[dict[str, Any]], object]
) -> None:
    read(parsed(orjson.dumps(body)))


@pytest.mark.parametrize(("body", "read"), BODIES.values(), ids=BODIES.keys())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_body_with_one_thing_wrong_is_read_or_refused(
    body: dict[str, Any], read: Callable[[dict[str, Any]], object], data: st.DataObject
) -> None:
    broken = copy.deepcopy(body)
    *above, last = data.draw(st.sampled_from(places(body)))
    node: Any = broken
    for step in above:
        node = node[step]
    if data.draw(st.booleans()):
        node[last] = data.draw(VALUES)
    elif isinstance(node, dict):
        node[data.draw(st.text(max_size=6) | WORDS)] = node.pop(last)
    else:
        node.pop(last)
    try:
        read(parsed(orjson.dumps(broken)))
    except RequestError as error:
        assert str(error)  # noqa: PT017 - that it is refused is as good as that it is read
