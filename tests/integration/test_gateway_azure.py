"""Azure's paths, as OpenAI's own client for Azure asks."""

import hashlib
from typing import Any

import openai
import pytest

from service.domain.enquiry import Tenant
from service.gateway.desk import Tenants
from tests.gateway_fakes import BAD, COUGH, GOOD, FakeDesk, client_of, plays, serving

MESSAGES: Any = COUGH["messages"]
PATH = "/openai/deployments/fake/chat/completions"


async def test_azures_client_gets_guarded_answers_streamed_and_not() -> None:
    tenants = Tenants(by_key={hashlib.sha256(b"secret").hexdigest(): Tenant("clinic")})
    async with (
        serving(FakeDesk(plays(BAD), tenants=tenants).web) as address,
        openai.AsyncAzureOpenAI(
            azure_endpoint=address, api_key="secret", api_version="2024-10-21", max_retries=0
        ) as client,
    ):
        plain = await client.chat.completions.create(model="fake", messages=MESSAGES)
        stream = await client.chat.completions.create(model="clinalign", messages=MESSAGES, stream=True)
        chunks = [chunk async for chunk in stream]
        prompted = await client.completions.create(model="fake", prompt="A cough.")
        vectors = await client.embeddings.create(model="tiny", input="a cough")
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.chat.completions.create(model="other", messages=MESSAGES)
    assert plain.choices[0].message.content == GOOD
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == GOOD
    assert (prompted.choices[0].text, vectors.data[0].embedding) == (GOOD, [2, 7, 1])
    assert unknown.value.code == "model_not_found"


@pytest.mark.parametrize("path", [PATH, PATH.replace("/chat", ""), PATH.replace("chat/completions", "embeddings")])
@pytest.mark.parametrize("query", ["", "?api-version=", "?version=2024-10-21"])
async def test_a_missing_api_version_is_named(path: str, query: str) -> None:
    async with client_of(FakeDesk()) as client:
        reply = await client.post(path + query, json=COUGH)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, "api-version", "missing_api_version")


async def test_no_key_no_entry_on_azures_path() -> None:
    tenants = Tenants(by_key={"0" * 64: Tenant("clinic")})
    async with client_of(FakeDesk(tenants=tenants)) as client:
        reply = await client.post(f"{PATH}?api-version=2024-10-21", json=COUGH, headers={"api-key": "wrong"})
    assert reply.status_code == 401


async def test_the_path_and_its_api_version_are_described() -> None:
    async with client_of(FakeDesk()) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    said = paths["/openai/deployments/{deployment}/chat/completions"]["post"]["parameters"]
    assert [(p["name"], p["in"], p["required"]) for p in said] == [
        ("deployment", "path", True),
        ("api-version", "query", True),
        ("x-clinalign-purpose", "header", False),
        ("Idempotency-Key", "header", False),
    ]
    (listing,) = paths["/openai/models"]["get"]["parameters"]
    assert (listing["name"], listing["in"], listing["required"]) == ("api-version", "query", True)
