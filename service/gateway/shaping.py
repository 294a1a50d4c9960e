"""The shape that a caller wants its answer in: tools it may call, JSON it must be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import orjson
from pydantic import Field

from service.domain.enquiry import Shape, Tool
from service.domain.errors import InvalidRequest

CHOICES = frozenset({"auto", "none", "required"})
MAX_TOOLS = 128
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
SchemaName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$")]


def tool_of(name: str, description: str | None, parameters: Mapping[str, Any] | None, *, at: str) -> Tool:
    """One function; `at` is the path of its name.

    Raises:
        InvalidRequest: the name is one of tool_choice's words.

    """
    if name in CHOICES:
        raise InvalidRequest(f"{at}: this name is one of tool_choice's words", param=at)
    return Tool(name, description or "", orjson.dumps(parameters or {}).decode())


def with_tools(tools: Sequence[Tool], choice: str | None, *, at: str) -> Shape:
    """The shape of an answer that may call these; `at` is the path of the chosen tool's name.

    Raises:
        InvalidRequest: the choice is none of them.

    """
    if choice not in {None, "none", "auto"}:
        if not tools:
            raise InvalidRequest("tool_choice: asks for a tool, and no tools are given", param="tool_choice")
        if choice != "required" and choice not in {tool.name for tool in tools}:
            raise InvalidRequest(f"{at}: no tool has this name", param=at)
    return Shape(tools=tuple(tools), tool_choice=choice)


def with_schema(shape: Shape, name: str, schema: Mapping[str, Any]) -> Shape:
    """The same shape, in JSON that fits a schema."""
    return replace(shape, schema=orjson.dumps(schema).decode(), schema_name=name)
