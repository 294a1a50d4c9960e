"""The embedded engine follows `current` while it works: real llama.cpp, two tiny models, answers under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path

import pytest

from service.domain.completion import Ask, Prompt
from service.domain.conversation import Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Sampling
from service.domain.errors import EngineUnavailable, SettingsError
from service.engines.embedded import EmbeddedEngine, EmbeddedModel
from service.engines.following import FollowingEngine
from service.engines.published import Published, digest_in
from tests import shelf

SOON = 30.0
ASK = Ask(Prompt((Message(Role.USER, "hello"),)), Sampling(temperature=0.0, max_tokens=24))


class Served:
    """Makes the engines, and keeps them to be looked at."""

    def __init__(self) -> None:
        self.engines: list[EmbeddedEngine] = []

    def __call__(self, published: Published) -> EmbeddedEngine:
        self.engines.append(
            EmbeddedEngine(EmbeddedModel(path=published.gguf, digest=published.digest, name="tiny", threads=1))
        )
        return self.engines[-1]

    @property
    def open(self) -> int:
        """How many have not been closed."""
        return sum(engine._server is not None for engine in self.engines)


@pytest.fixture
def checkpoints(tmp_path: Path) -> tuple[Path, str, str]:
    """A shelf with two checkpoints; the first is current."""
    names = [shelf.put(tmp_path, seed=seed) for seed in (1, 2)]
    shelf.point(tmp_path, names[0])
    return tmp_path, names[0], names[1]


@asynccontextmanager
async def following(folder: Path, served: Served) -> AsyncIterator[FollowingEngine]:
    engine = FollowingEngine(folder, served, look_every_s=0.05)
    await engine.start(Deadline.after(SOON))
    try:
        yield engine
    finally:
        await engine.aclose()


async def settled(engine: FollowingEngine, name: str) -> None:
    async with asyncio.timeout(SOON):
        while engine.abilities.checkpoint_digest != shelf.digest(name):
            await asyncio.sleep(0.01)


async def test_under_load_no_call_fails_and_each_answer_keeps_the_checkpoint_it_began_with(
    checkpoints: tuple[Path, str, str],
) -> None:
    folder, first, second = checkpoints
    served, seen = Served(), []
    async with following(folder, served) as engine:

        async def answer() -> None:
            with engine.held():
                began = engine.abilities.checkpoint_digest
                texts = [(await engine.complete(ASK, deadline=Deadline.after(SOON))).text for _ in range(3)]
                assert engine.abilities.checkpoint_digest == began
            assert len(set(texts)) == 1  # greedy: another model would say something else
            seen.append((began, texts[0]))

        async def visitor() -> None:
            while len({began for began, _ in seen}) < 2:
                await answer()

        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(visitor())
            while not seen:
                await asyncio.sleep(0.01)
            shelf.point(folder, second)
        assert {began for began, _ in seen} == {shelf.digest(first), shelf.digest(second)}
        assert len(set(seen)) == 2  # each digest goes with one text
        async with asyncio.timeout(SOON):
            while served.open > 1:
                await asyncio.sleep(0.01)
    assert served.open == 0


async def test_the_old_checkpoint_stays_loaded_while_an_answer_holds_it(checkpoints: tuple[Path, str, str]) -> None:
    folder, first, second = checkpoints
    served = Served()
    async with following(folder, served) as engine:
        with engine.held():
            shelf.point(folder, second)
            async with asyncio.timeout(SOON):
                while len(served.engines) < 2 or not await _sees(engine, second):
                    await asyncio.sleep(0.01)
            assert engine.abilities.checkpoint_digest == shelf.digest(first)
            assert (await engine.complete(ASK, deadline=Deadline.after(SOON))).text
            assert served.open == 2
        async with asyncio.timeout(SOON):
            while served.open > 1:
                await asyncio.sleep(0.01)


async def _sees(engine: FollowingEngine, name: str) -> bool:
    """What an answer that began now would be held to."""
    return Context().run(lambda: engine.abilities.checkpoint_digest) == shelf.digest(name)


@pytest.mark.parametrize("damage", ["weights", "manifest", "no weights", "no digest"])
async def test_what_is_not_what_its_digest_says_is_not_followed(
    checkpoints: tuple[Path, str, str], damage: str
) -> None:
    folder, first, second = checkpoints
    match damage:
        case "weights":
            (folder / second / "model.gguf").write_bytes((folder / first / "model.gguf").read_bytes())
        case "manifest":
            (folder / second / "manifest.json").write_text((folder / first / "manifest.json").read_text())
        case "no weights":
            (folder / second / "model.gguf").unlink()
        case _:
            (folder / second).rename(folder / "latest")
    async with following(folder, Served()) as engine:
        shelf.point(folder, "latest" if damage == "no digest" else second)
        await engine.look(again=True)
        assert engine.abilities.checkpoint_digest == shelf.digest(first)
        assert (await engine.complete(ASK, deadline=Deadline.after(SOON))).text
        third = shelf.put(folder, seed=3)
        shelf.point(folder, third)
        await settled(engine, third)


async def test_a_shelf_without_a_pointer_stops_the_start(tmp_path: Path) -> None:
    engine = FollowingEngine(tmp_path, Served())
    with pytest.raises(SettingsError, match="current"):
        await engine.start(Deadline.after(SOON))
    with pytest.raises(EngineUnavailable):
        _ = engine.abilities


@pytest.mark.parametrize(
    ("root", "digest"),
    [
        (f"/models/sha256-{'ab' * 32}", f"sha256:{'ab' * 32}"),
        (f"/models/sha256-{'ab' * 32}/", f"sha256:{'ab' * 32}"),
        ("/models/current", ""),
        ("Qwen/Qwen3-4B", ""),
        (None, ""),
    ],
)
def test_vllm_tells_the_digest_by_the_path_that_it_lists(root: str | None, digest: str) -> None:
    assert digest_in(root) == digest
