"""A checkpoint in, how far vLLM and llama.cpp agree with transformers out; each engine is started and ended here."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from training import gguf
from training.agreement.asks import Ask, asks
from training.agreement.compare import Agreement, Reference, compare
from training.agreement.engines import LlamaCpp, Vllm
from training.environments import ROOT, TRAINING
from training.journal import Journal
from training.llama import Llama
from training.vllm_server import NotServed, serving

_LONGEST_S = 300.0
_UP_WITHIN_S = 1800.0


class NoReference(RuntimeError):
    """transformers could not be asked."""


def agree(checkpoint: Path, *, dialogues: int, dtypes: Sequence[str], folder: Path) -> dict[str, Any]:
    """Figures of every engine, and whether all of those in float32 agree.

    `dtypes` are vLLM's, one start each. What was said and found is kept in `folder`: a second run goes on from there.

    Raises:
        NoReference: that environment is not there, or fails.
        NotServed: vLLM is not installed or does not come up.

    """
    asked = asks(dialogues)
    weights = gguf.sha256(checkpoint / "model.safetensors")
    with Journal(folder / f"{weights[:16]}-{dialogues}.jsonl") as kept:
        if "transformers" not in kept:
            kept.append("transformers", {"said": said(checkpoint, asked)})
        references = tuple(Reference.of(row) for row in kept["transformers"]["said"])
        if "llama.cpp float32" not in kept:
            kept.append("llama.cpp float32", asyncio.run(_llama(checkpoint, asked, references)).as_dict())
        for dtype in dtypes:
            if (name := f"vllm {dtype}") in kept:
                continue
            with serving(checkpoint.absolute(), dtype=dtype, up_within_s=_UP_WITHIN_S) as url:
                kept.append(name, asyncio.run(_vllm(checkpoint.name, url, name, asked, references)).as_dict())
        found = [dict(kept[name]) for name in ("llama.cpp float32", *(f"vllm {dtype}" for dtype in dtypes))]
    return {
        "command": f"clinalign train agree --dialogues {dialogues}",
        "reference": "transformers, float32, greedy",
        "dialogues": dialogues,
        "model_sha256": weights,
        "engines": [{key: value for key, value in one.items() if key != "key"} for one in found],
        "agree": all(one["agrees"] for one in found if "float32" in one["engine"]),
    }


def said(checkpoint: Path, asked: Sequence[Ask], *, python: Path = TRAINING) -> list[dict[str, Any]]:
    """What transformers says, in an environment of its own, whose `python` this is.

    Raises:
        NoReference: as above.

    """
    if not python.exists():
        raise NoReference(f"{python}: no such file; run `make install-training`")
    body = json.dumps([{"messages": ask.body(), "most": ask.most} for ask in asked])
    command = [str(python), "-m", "training.agreement.reference", str(checkpoint.absolute())]
    done = subprocess.run(command, cwd=ROOT, input=body, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise NoReference(f"transformers failed: {done.stderr[-2000:]}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


async def _llama(checkpoint: Path, asked: Sequence[Ask], references: Sequence[Reference]) -> Agreement:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.gguf"
        gguf.write(checkpoint, path)
        model = await asyncio.to_thread(Llama, path)
        async with _session() as session:
            return await compare(LlamaCpp("llama.cpp float32", model.address, session), asked, references)


async def _vllm(model: str, url: str, name: str, asked: Sequence[Ask], references: Sequence[Reference]) -> Agreement:
    async with _session() as session:
        return await compare(Vllm(name, url, model, session), asked, references)


def _session() -> aiohttp.ClientSession:
    # llama.cpp closes after each reply without saying so.
    connector = aiohttp.TCPConnector(force_close=True)
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LONGEST_S), connector=connector)


__all__ = ["NoReference", "NotServed", "agree", "said"]
