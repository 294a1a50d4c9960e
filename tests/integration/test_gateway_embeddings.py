"""POST /v1/embeddings as OpenAI's own client asks, on a fake encoder and on the shipped one."""

from typing import Any

import openai
import pytest

from principles_store.encoder import Encoder
from principles_store.paths import Places
from principles_store.store import PrinciplesStore
from service.domain.enquiry import Tenant
from service.gateway.desk import Tenants
from service.pipeline.encoding import StoreEncoder
from tests.gateway_fakes import FakeDesk, client_of
from tests.integration.test_gateway_openai import openai_client
from tests.shipped_store import needs_encoder

PATH = "/v1/embeddings"


async def test_the_client_gets_vectors_in_order_whichever_encoding_it_asks_for() -> None:
    async with openai_client(FakeDesk()) as client:
        by_default = await client.embeddings.create(model="tiny", input=["one", "two words"])
        numbers = await client.embeddings.create(model="clinalign", input="two words", encoding_format="float")
    assert [one.embedding for one in by_default.data] == [[1, 3, 1], [2, 9, 1]]
    assert [one.index for one in by_default.data] == [0, 1]
    assert numbers.data[0].embedding == by_default.data[1].embedding
    assert (by_default.usage.prompt_tokens, by_default.usage.total_tokens, by_default.model) == (3, 3, "tiny")


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no input": ({}, 400, "input"),
    "empty": ({"input": ""}, 400, "input[0]"),
    "empty list": ({"input": []}, 400, "input"),
    "blank in a list": ({"input": ["a", " "]}, 400, "input[1]"),
    "tokens": ({"input": [1, 2]}, 400, "input"),
    "lists of tokens": ({"input": [[1], [2]]}, 400, "input"),
    "too many": ({"input": ["a"] * 257}, 400, "input"),
    "too long": ({"input": ["a", "a b c d e f g h i"]}, 400, "input[1]"),
    "other dimensions": ({"input": "a", "dimensions": 2}, 400, "dimensions"),
    "another encoding": ({"input": "a", "encoding_format": "int8"}, 400, "encoding_format"),
    "another model": ({"input": "a", "model": "text-embedding-3-small"}, 404, "model"),
    "unknown field": ({"input": "a", "colour": "red"}, 400, "colour"),
}


@pytest.mark.parametrize(("body", "status", "param"), WRONG.values(), ids=WRONG.keys())
async def test_what_cannot_be_encoded_is_refused_by_name(body: dict[str, Any], status: int, param: str) -> None:
    async with client_of(FakeDesk()) as client:
        reply = await client.post(PATH, json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)


async def test_embeddings_count_against_the_quota() -> None:
    tenants = Tenants(open_to=Tenant("local", requests_per_minute=1))
    async with openai_client(FakeDesk(tenants=tenants)) as client:
        await client.embeddings.create(model="tiny", input="one", dimensions=3)
        with pytest.raises(openai.RateLimitError):
            await client.embeddings.create(model="tiny", input="one")


@needs_encoder
async def test_the_stores_encoder_gives_unit_vectors_and_counts_what_it_would_not_read() -> None:
    places = Places.from_environment()
    encoder = Encoder.load(places.encoder)

    class Store(PrinciplesStore):
        def __init__(self) -> None:
            self._encoder = encoder

    embedder = StoreEncoder(Store())
    vector = memoryview(await embedder.embed("chest pain")).cast("f").tolist()
    assert len(vector) == embedder.dimension == 384
    assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)
    assert await embedder.count("chest pain") == 4  # with the two tokens that open and close a text
    assert await embedder.count("pain " * 1000) > embedder.max_tokens == 256
