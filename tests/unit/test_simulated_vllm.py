import json
from typing import Any

import aiohttp
import jsonschema
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.simulated_shapes import plainest, tool_call
from loadtests.simulated_vllm import BLOCK, PrefixCache, Simulation
from service.prompts import edits, verdict
from tests.servers import simulated_vllm

FAST = Simulation(ttft_s=0, prefill_s=0, inter_token_s=0)
WORDS = st.lists(st.sampled_from("abc"), max_size=80)


async def post(path: str, body: dict[str, Any], *, simulation: Simulation = FAST) -> tuple[int, Any]:
    async with (
        simulated_vllm(simulation) as (_, url),
        aiohttp.ClientSession(url.removesuffix("/v1")) as session,
        session.post(path, json=body) as response,
    ):
        return response.status, await response.json()


@given(WORDS, WORDS)
def test_the_cache_holds_exactly_the_full_blocks_of_the_longest_shared_beginning(
    first: list[str], second: list[str]
) -> None:
    cache = PrefixCache(1000)
    assert cache.read(first) == 0
    shared = next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    expected = min(shared // BLOCK, max(0, len(second) - 1) // BLOCK) * BLOCK
    assert cache.read(second) == expected


def test_a_salt_keeps_tenants_apart() -> None:
    cache = PrefixCache(1000)
    prompt = ["word"] * 64
    cache.read(prompt, salt="a")
    assert cache.read(prompt, salt="b") == 0
    assert cache.read(prompt, salt="a") == 48


def test_what_was_not_read_for_longest_is_forgotten_first() -> None:
    cache = PrefixCache(2)
    old, new = ["old"] * 32, ["new"] * 32
    cache.read(old)
    cache.read(new)
    assert cache.read(old) == 0


async def test_a_plain_request_gets_the_whole_answer_at_once() -> None:
    _, said = await post("/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5})
    (choice,) = said["choices"]
    assert (choice["finish_reason"], said["usage"]["completion_tokens"]) == ("length", 5)


async def test_a_prompt_beyond_the_context_is_a_400() -> None:
    body = {"messages": [{"role": "user", "content": "word " * 100}]}
    status, said = await post("/v1/chat/completions", body, simulation=Simulation(max_model_len=64))
    assert (status, said["error"]["type"]) == (400, "BadRequestError")


async def test_a_model_that_is_not_served_is_a_404() -> None:
    status, _ = await post("/v1/chat/completions", {"model": "other", "messages": []})
    assert status == 404


@pytest.mark.parametrize("schema", [edits.SCHEMA, verdict.SCHEMA], ids=["edits", "verdict"])
async def test_a_reply_fits_its_schema(schema: str) -> None:
    wish = {"role": "user", "content": "- Add what is missing: Rest.\nDoes it do this?\nRest.\nReply "}
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "Drink."}, wish]
    if schema is edits.SCHEMA:
        wish["content"] = "- Add what is missing: Rest."
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": json.loads(schema)}}
    _, said = await post("/v1/chat/completions", {"messages": messages, "response_format": form})
    jsonschema.validate(json.loads(said["choices"][0]["message"]["content"]), json.loads(schema))


async def test_its_metrics_have_vllms_names_and_label() -> None:
    async with (
        simulated_vllm(FAST) as (_, url),
        aiohttp.ClientSession(url.removesuffix("/v1")) as session,
        session.get("/metrics") as response,
    ):
        text = await response.text()
    for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prefix_cache_hits_total"):
        assert f'vllm:{name}{{model_name="simulated"}}' in text


NESTED = {
    "type": "object",
    "properties": {
        "doses": {"type": "array", "items": {"$ref": "#/$defs/Dose"}, "minItems": 2},
        "urgent": {"type": "boolean"},
        "kind": {"const": "dose"},
        "by": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]},
        "nothing": {"type": ["null", "string"]},
    },
    "required": ["doses", "urgent", "kind", "by", "nothing"],
    "$defs": {
        "Dose": {
            "type": "object",
            "properties": {"unit": {"enum": ["mg", "ml"]}, "note": {"type": "string"}},
            "required": ["unit", "note"],
        }
    },
}


def test_the_plainest_value_fits_a_schema_as_clients_write_them() -> None:
    value = plainest(NESTED, text="as you wish")
    jsonschema.validate(value, NESTED)
    assert value["doses"][1]["note"] == "as you wish"


TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"q": {}}}}}
    for name in ("look_up", "submit")
]
ASKS: dict[str, Any] = {"role": "user", "content": "?"}
CALLS: dict[str, Any] = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "look_up"}}]}
RESULT: dict[str, Any] = {"role": "tool", "content": "42", "tool_call_id": "1"}


@pytest.mark.parametrize(
    ("messages", "choice", "called"),
    [
        ([ASKS], "auto", "look_up"),
        ([ASKS], "none", None),
        ([ASKS], {"type": "function", "function": {"name": "submit"}}, "submit"),
        ([ASKS, CALLS, RESULT, ASKS], "auto", "submit"),
        ([ASKS, CALLS, RESULT, {"role": "assistant", "content": "42."}, ASKS], "auto", "look_up"),
    ],
    ids=["auto", "none", "named", "once-a-question", "again-for-the-next-question"],
)
def test_which_tool_it_calls(messages: list[dict[str, Any]], choice: object, called: str | None) -> None:
    call = tool_call({"messages": messages, "tools": TOOLS, "tool_choice": choice})
    assert (call["function"]["name"] if call else None) == called


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_call_is_told_on_both_paths(stream: bool) -> None:
    async with simulated_vllm(FAST) as (_, url), openai.AsyncOpenAI(base_url=url, api_key="any") as client:
        asked: Any = {"model": "simulated", "messages": [ASKS], "tools": TOOLS}
        if stream:
            async with client.chat.completions.stream(**asked) as events:
                said: Any = await events.get_final_completion()
        else:
            said = await client.chat.completions.create(**asked)
    (call,) = said.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("look_up", '{"q":"text"}')
    assert said.choices[0].finish_reason == "tool_calls"
