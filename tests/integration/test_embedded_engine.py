import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from service.domain.completion import Ask, Prompt
from service.domain.conversation import Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Sampling, Shape
from service.domain.errors import EngineUnavailable, SettingsError
from service.engines.embedded import EmbeddedEngine, EmbeddedModel
from service.prompts import verdict
from tests import tiny_gguf

SOON = 20.0


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
async def engine(gguf: Path) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(EmbeddedModel(path=gguf, name="tiny", threads=1))
    await engine.start(Deadline.after(SOON))
    yield engine
    await engine.aclose()


def ask(text: str, *, top: int = 0, shape: Shape | None = None, max_tokens: int = 8) -> Ask:
    prompt = Prompt((Message(Role.USER, text),), shape or Shape())
    return Ask(prompt, Sampling(temperature=0.0, max_tokens=max_tokens), top)


async def test_start_finds_probabilities_cached_tokens_and_the_files_digest(engine: EmbeddedEngine) -> None:
    found = engine.abilities
    assert (found.model, found.context_tokens, found.demonstration) == ("tiny", 2048, True)
    assert found.probabilities
    assert found.cached_tokens
    assert found.checkpoint_digest.startswith("sha256:")


async def test_first_token_probabilities_are_ranked_and_below_one(engine: EmbeddedEngine) -> None:
    completion = await engine.complete(ask("hello", top=20, max_tokens=1), deadline=Deadline.after(SOON))
    found = [token.probability for token in completion.first_token]
    assert len(found) == 20
    assert found == sorted(found, reverse=True)
    assert sum(found) <= 1.0 + 1e-6


async def test_verdict_calls_read_the_draft_from_the_slots_cache(engine: EmbeddedEngine) -> None:
    base = (Message(Role.USER, "A question. " * 40), Message(Role.ASSISTANT, "An answer. " * 20))
    for number in range(10):
        prompt = Prompt((*base, verdict.instruction(f"Names the thing number {number}.")))
        completion = await engine.complete(Ask(prompt, Sampling(max_tokens=1), 5), deadline=Deadline.after(SOON))
        if number:
            instruction = len(verdict.instruction("Names the thing number 0.").content)  # one token a byte
            assert completion.usage.prompt_tokens - completion.usage.cached_tokens <= instruction + 64


async def test_conversations_that_take_turns_keep_their_prefixes(engine: EmbeddedEngine) -> None:
    for turn in range(3):
        for person in "ABCD":
            completion = await engine.complete(ask(f"{person} asks. " * 60 + str(turn)), deadline=Deadline.after(SOON))
            uncached = completion.usage.prompt_tokens - completion.usage.cached_tokens
            assert turn == 0 or uncached <= 64


async def test_a_schema_constrains_every_token_of_a_model_that_knows_nothing(engine: EmbeddedEngine) -> None:
    shape = Shape(schema='{"type": "object", "properties": {"a": {"enum": ["b"]}}, "required": ["a"]}')
    completion = await engine.complete(ask("hello", shape=shape, max_tokens=200), deadline=Deadline.after(SOON))
    assert completion.text.lstrip().startswith("{")


async def test_tokens_are_counted_by_its_own_tokenizer(engine: EmbeddedEngine) -> None:
    assert await engine.count_tokens("hello", deadline=Deadline.after(SOON)) == 5


async def test_a_cancelled_call_frees_the_only_slot(engine: EmbeddedEngine) -> None:
    heard = asyncio.Event()
    endless = ask("hello", max_tokens=1900)
    call = asyncio.create_task(engine.complete(endless, deadline=Deadline.after(SOON), on_text=lambda _: heard.set()))
    await asyncio.wait_for(heard.wait(), SOON)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    began = time.monotonic()
    await engine.complete(ask("again", max_tokens=1), deadline=Deadline.after(SOON))
    assert time.monotonic() - began < 1.0


async def test_nobody_gets_in_without_the_key(engine: EmbeddedEngine) -> None:
    address = engine._server.listening_address
    async with aiohttp.ClientSession() as session, session.post(f"{address}/v1/chat/completions", json={}) as response:
        assert response.status == 401


async def test_it_closes_within_a_second_and_its_port_is_gone(gguf: Path) -> None:
    engine = EmbeddedEngine(EmbeddedModel(path=gguf, threads=1))
    await engine.start(Deadline.after(SOON))
    address = engine._server.listening_address
    began = time.monotonic()
    await engine.aclose()
    assert time.monotonic() - began < 1.0
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{address}/health")
    with pytest.raises(EngineUnavailable, match="not been started"):
        await engine.complete(ask("hello"), deadline=Deadline.after(SOON))


async def test_it_can_be_started_again_after_it_was_closed(gguf: Path) -> None:
    engine = EmbeddedEngine(EmbeddedModel(path=gguf, threads=1))
    for _ in range(2):
        await engine.start(Deadline.after(SOON))
        await engine.complete(ask("hello"), deadline=Deadline.after(SOON))
        await engine.aclose()


async def test_it_says_nothing_on_the_terminal(gguf: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = EmbeddedEngine(EmbeddedModel(path=gguf, threads=1))
    await engine.start(Deadline.after(SOON))
    await engine.complete(ask("hello"), deadline=Deadline.after(SOON))
    await engine.aclose()
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize("content", [None, b"", b"not a model"], ids=["missing", "empty", "not a model"])
async def test_a_file_that_is_no_model_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.gguf"
    if content is not None:
        path.write_bytes(content)
    engine = EmbeddedEngine(EmbeddedModel(path=path))
    with pytest.raises(SettingsError, match=r"broken\.gguf"):
        await engine.start(Deadline.after(SOON))
