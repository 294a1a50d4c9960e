"""The embedded engine: llama.cpp started inside this process on a GGUF file, spoken to over its own loopback port."""

import asyncio
import hashlib
import importlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.domain.completion import Ask, Completion
from service.domain.deadline import Deadline
from service.domain.errors import EngineUnavailable, SettingsError
from service.engines.endpoint import Endpoint, Json
from service.engines.openai_http import OpenAIEngine
from service.pipeline.ports import Abilities

# Prompts that fell out of a slot are kept here, so that conversations can take turns; llama.cpp would take 8 GiB.
_PROMPT_CACHE_MIB = 256
_HTTP_THREADS = 4
_ERRORS_ONLY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedModel:
    """A GGUF file and how it is served.

    `context_tokens` is per slot. One slot reads every verdict's prompt from the draft's cache; a second one would have
    to read the whole prompt again. Threads leave a core to the gateway itself: llama.cpp spins while it waits. `digest`
    names the checkpoint in provenance; empty for that of the file.
    """

    path: Path
    name: str = "clinalign-demo"
    digest: str = ""
    context_tokens: int = 2048
    slots: int = 1
    threads: int = field(default_factory=lambda: max(1, (os.cpu_count() or 2) - 1))
    extra_body: Mapping[str, Json] = field(default_factory=dict)
    demonstration: bool = True


class EmbeddedEngine:
    """Implements `Engine` in the process. `start` it before use and `aclose` it after."""

    def __init__(self, model: EmbeddedModel) -> None:
        self._model = model
        self._server: Any = None
        self._engine: OpenAIEngine | None = None

    @property
    def abilities(self) -> Abilities:
        """What `start` found.

        Raises:
            EngineUnavailable: it was not started.

        """
        return self._started().abilities

    async def start(self, deadline: Deadline) -> None:
        """Load the file, listen on a free loopback port behind a key that nobody else knows, and probe.

        Raises:
            SettingsError: the file is missing or is no model that llama.cpp can load.
            EngineError: the loaded model cannot be used.

        """
        if self._engine is None:
            key = secrets.token_urlsafe(32)
            self._server = await asyncio.to_thread(_serve, self._model, key)
            digest = self._model.digest or await asyncio.to_thread(_digest, self._model.path)
            self._engine = OpenAIEngine(
                _endpoint(self._model, address=self._server.listening_address, key=key, digest=digest)
            )
        await self._engine.start(deadline)

    async def complete(
        self, ask: Ask, *, deadline: Deadline, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """As `OpenAIEngine.complete`."""
        return await self._started().complete(ask, deadline=deadline, on_text=on_text)

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        """As `OpenAIEngine.count_tokens`."""
        return await self._started().count_tokens(text, deadline=deadline)

    async def aclose(self) -> None:
        """Close the connections, which ends what is running, then the server."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.aclose()
        # Its destructor waits for llama.cpp's threads, and releases the port and the memory.
        doomed, self._server = [self._server], None
        await asyncio.to_thread(doomed.clear)

    def _started(self) -> OpenAIEngine:
        if self._engine is None:
            raise EngineUnavailable("the embedded engine has not been started")
        return self._engine


def _endpoint(model: EmbeddedModel, *, address: str, key: str, digest: str) -> Endpoint:
    return Endpoint(
        base_url=f"{address}/v1",
        model=model.name,
        api_key=key,
        extra_body=model.extra_body,
        max_concurrency=model.slots,
        keep_alive=False,  # llama.cpp closes after each stream without saying so
        context_tokens=model.context_tokens,
        checkpoint_digest=digest,
        demonstration=model.demonstration,
    )


def _serve(model: EmbeddedModel, key: str) -> Any:
    try:
        # Imported here: a gateway in front of vLLM does not need llama.cpp installed.
        xllamacpp = importlib.import_module("xllamacpp")
    except ImportError as error:
        raise SettingsError(
            "the embedded engine needs the package xllamacpp: install it, or set an upstream"
        ) from error
    if not model.path.is_file():
        raise SettingsError(f"the embedded model {model.path} is not there: train it, or set another")
    params = xllamacpp.CommonParams()
    params.model.path = str(model.path)
    params.model_alias = {model.name}
    params.n_ctx = model.context_tokens * model.slots
    params.n_parallel = model.slots
    params.cpuparams.n_threads = model.threads
    params.cpuparams_batch.n_threads = model.threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_threads_http = _HTTP_THREADS
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.verbosity = _ERRORS_ONLY
    params.ui = params.endpoint_slots = params.fit_params = False
    params.offline = True
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"llama.cpp cannot load {model.path}: is it a GGUF model?") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
