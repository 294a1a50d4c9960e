"""Settings become the judges: who guides revisions, and who accepts them."""

from collections.abc import Iterable
from pathlib import Path

from service.assembly.engines import AnyEngine
from service.domain.errors import SettingsError
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.engines.small_judge import SmallJudge
from service.observability.logs import event
from service.pipeline.judge import ModelJudge
from service.pipeline.judge_calibration import UNFITTED, Calibrations
from service.pipeline.ports import Judge
from service.settings import JudgeName, Settings


def judge_engine_of(settings: Settings) -> OpenAIEngine | None:
    """The judge's own server, where one is set and used: its own connections, its own breaker."""
    if settings.judge_upstream is None or "upstream" not in {settings.judge, settings.accepting}:
        return None
    key = settings.judge_upstream_key
    return OpenAIEngine(
        Endpoint(
            base_url=settings.judge_upstream,
            model=settings.judge_model or "",
            api_key=key.get_secret_value() if key else "",
            max_concurrency=settings.upstream_connections,
            max_retries=settings.upstream_retries,
            read_timeout_s=settings.upstream_timeout_s,
            context_tokens=settings.context_tokens or 4096,
        )
    )


def judges_of(settings: Settings, engine: AnyEngine, judge_engine: OpenAIEngine | None) -> tuple[Judge, Judge]:
    """Who guides revisions and who accepts them. `warn_of` them once their models were reached.

    Raises:
        SettingsError: one of them cannot be used.

    """
    fitted = Calibrations.read(settings.judge_calibration) if settings.judge_calibration else UNFITTED

    def made(name: JudgeName) -> Judge:
        match name:
            case "self":
                return ModelJudge(engine, "self", fitted)
            case "upstream" if judge_engine is not None:
                named = f"upstream:{settings.judge_model}" if settings.judge_model else name
                return ModelJudge(judge_engine, named, fitted)
            case "small" if settings.small_judge_dir is not None:
                return _small_judge(settings.small_judge_dir)
            case _:
                raise SettingsError(f"judge {name}: it is not set up")

    used = {name: made(name) for name in dict.fromkeys((settings.judge, settings.accepting))}
    return used[settings.judge], used[settings.accepting]


def warn_of(judges: Iterable[Judge]) -> None:
    """Tell the log of each that is not fitted to people's labels; a model that was not reached is not known to be."""
    for judge in dict.fromkeys(judges):
        if not judge.calibrated:
            event("judge.uncalibrated", judge=judge.name)


def _small_judge(folder: Path) -> Judge:
    """The small cross-encoder of our own, from its folder: the one place where it is made.

    Raises:
        SettingsError: the folder does not hold one that can be used.

    """
    try:
        return SmallJudge.load(folder)
    except SettingsError as error:
        raise SettingsError(f"judge small: {error}") from error
