"""Settings become the engine that drafts, judges and revises: a server by its URL, or one started in the process."""

from contextlib import AbstractContextManager, nullcontext

from service.domain.deadline import Deadline
from service.domain.errors import EngineError
from service.engines.embedded import EmbeddedEngine, EmbeddedModel
from service.engines.endpoint import Endpoint
from service.engines.following import FollowingEngine
from service.engines.openai_http import OpenAIEngine
from service.engines.published import Published
from service.observability.logs import event
from service.settings import Settings

AnyEngine = OpenAIEngine | EmbeddedEngine | FollowingEngine
_LOOK_S = 30.0


def engine_of(settings: Settings) -> AnyEngine:
    """The engine, not yet started.

    Raises:
        SettingsError: the upstream's URL or key cannot be used.

    """
    if settings.upstream is not None:
        return OpenAIEngine(_endpoint(settings, settings.upstream))
    if settings.checkpoints_dir is not None:
        return FollowingEngine(settings.checkpoints_dir, lambda published: EmbeddedEngine(_model(settings, published)))
    return EmbeddedEngine(_model(settings))


def held_by(engine: AnyEngine) -> AbstractContextManager[None]:
    """What holds one answer to the checkpoint that it begins with, where an engine may change it."""
    return engine.held() if isinstance(engine, FollowingEngine) else nullcontext()


async def look_anew(engine: AnyEngine) -> None:
    """Follow the pointer now, or ask an upstream again which checkpoint it serves; one that fails stays as it was."""
    if isinstance(engine, FollowingEngine):
        await engine.look(again=True)
    elif isinstance(engine, OpenAIEngine):
        try:
            await engine.start(Deadline.after(_LOOK_S))
        except EngineError as error:
            event("engine.not_reached", error=type(error).__name__)


def _model(settings: Settings, published: Published | None = None) -> EmbeddedModel:
    return EmbeddedModel(
        path=published.gguf if published else settings.gguf,
        digest=published.digest if published else "",
        context_tokens=settings.embedded_context_tokens,
        extra_body={"temperature": 0.0},  # so small a model strays when its words are drawn by chance
    )


def _endpoint(settings: Settings, upstream: str) -> Endpoint:
    return Endpoint(
        base_url=upstream,
        model=settings.model or "",
        api_key=settings.upstream_key.get_secret_value() if settings.upstream_key else "",
        extra_body={"chat_template_kwargs": dict(settings.chat_template_kwargs)}
        if settings.chat_template_kwargs
        else {},
        max_concurrency=settings.upstream_connections,
        max_retries=settings.upstream_retries,
        read_timeout_s=settings.upstream_timeout_s,
        context_tokens=settings.context_tokens or 4096,
        demonstration=settings.demonstration,
        reasoning=settings.reasoning,
    )
