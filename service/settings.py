"""Settings: `CLINALIGN_*` variables and one TOML file, read once at the start; a bad one stops it."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from service.domain.enquiry import FailurePolicy
from service.domain.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
JudgeName = Literal["self", "upstream", "small"]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PREFIX = "CLINALIGN_"
# Variables of the same prefix that are no settings: the TOML file's, and those of commands, trainings and tests.
OTHER_VARIABLES = frozenset(
    _PREFIX + name
    for name in (
        "CONFIG", "KEY", "QUERIES_DIR", "MODEL_KEY", "GRADER_KEY", "REWARD_URL", "REWARD_MODEL", "REWARD_KEY",
        "REWARD_ENDS", "REWARD_CONCURRENCY", "REWARD_ALLOWED_WORDS", "TRAINING_PYTHON", "TEST_PICTURES",
    )
)  # fmt: skip

# Statuses that OpenAI's clients do not send again.
PolicyStatus = Literal[200, 400, 403, 422]


class TenantSettings(BaseModel):
    """One app: its name, the SHA-256 of its API key (hex), and its policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    key_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    failure_policy: FailurePolicy = FailurePolicy.SAFE_MESSAGE
    release_line: int = Field(default=7, ge=1, le=10)
    requests_per_minute: int | None = Field(default=None, ge=1)
    provisional_drafts: bool = False
    policy_status: PolicyStatus = 200
    engine_errors: bool = False
    scopes: tuple[Literal["chore"], ...] = ()
    operator: bool = False


class Settings(BaseSettings):
    """Every setting, with its default and its limits. Paths are relative to the repository's root."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tenants: tuple[TenantSettings, ...] = Field(
        default=(), description="Apps, each with the SHA-256 of its key and its policy; easiest in the TOML file."
    )
    api_keys: SecretStr | None = Field(
        default=None,
        description="API keys as `name:key`, separated by commas; each becomes a tenant with the defaults.",
    )

    upstream: str | None = Field(default=None, description="Base URL of an OpenAI-compatible server, ending in /v1.")
    upstream_key: SecretStr | None = Field(default=None, description="The upstream's own API key.")
    model: str | None = Field(default=None, description="The model to ask for; else the upstream's first.")
    demonstration: bool = Field(default=False, description="Say in every reply that the model is a demonstration.")
    chat_template_kwargs: dict[str, bool | str | int] = Field(
        default_factory=dict, description='Passed to the upstream\'s chat template, such as {"enable_thinking": false}.'
    )
    reasoning: bool = Field(
        default=False, description="The upstream's model can think, and a reasoning parser keeps its thoughts apart."
    )
    context_tokens: int | None = Field(default=None, ge=512, description="Only where the upstream does not tell.")
    upstream_connections: int = Field(default=256, ge=1, description="Calls to the upstream at once, at most.")
    upstream_timeout_s: float = Field(default=120, gt=0, description="Longest silence between two pieces of a reply.")
    upstream_retries: int = Field(default=2, ge=0, le=5, description="Tries after the first, before any text came.")

    judge: JudgeName = Field(
        default="self", description="Who guides revisions: the served model itself, judge_upstream's, or the small one."
    )
    accept_judge: JudgeName | None = Field(
        default=None,
        description="Who accepts revisions; else the second judge where there is one: judge_upstream's, or the small.",
    )
    judge_upstream: str | None = Field(default=None, description="Base URL of the judge's own server, ending in /v1.")
    judge_upstream_key: SecretStr | None = Field(default=None, description="That server's API key.")
    judge_model: str | None = Field(default=None, description="The model to judge with; else that server's first.")
    judge_calibration: Path | None = Field(
        default=None, description="Model judges' thresholds by checkpoint, as `clinalign calibrate` wrote them."
    )
    small_judge_dir: Path | None = Field(default=None, description="Folder of the small judge, where it is used.")

    gguf: Path = Field(default=ROOT / "build" / "demo.gguf", description="The embedded model's file.")
    checkpoints_dir: Path | None = Field(
        default=None, description="Folder of published checkpoints: the embedded model follows its link `current`."
    )
    embedded_context_tokens: int = Field(default=2048, ge=512, description="The embedded model's context.")

    principles_dir: Path = Field(default=ROOT / "principles_store" / "principles", description="Folder of YAML.")
    encoder_dir: Path = Field(default=ROOT / "build" / "encoder", description="Folder of the exported encoder.")
    encoder_precision: Literal["fp32", "int8"] = Field(default="fp32", description="fp32, or int8: faster, less exact.")
    index_dir: Path = Field(default=ROOT / "build" / "index", description="Folder of the built index.")
    screen_dir: Path = Field(default=ROOT / "build" / "screen", description="Folder of the red-flag head's weights.")

    redis_url: SecretStr | None = Field(default=None, description="redis://... to share quotas and cached answers.")
    cache_ttl_s: int = Field(default=0, ge=0, description="How long released answers are kept for repeats; 0 is never.")
    repeat_ttl_s: int = Field(
        default=600, ge=1, le=86_400, description="How long a request with an Idempotency-Key gets its first answer."
    )
    audit_path: Path | None = Field(default=None, description="Where the ledger is written; in memory otherwise.")
    audit_key: SecretStr | None = Field(
        default=None, min_length=16, description="Keys the hashes of conversations in the ledger."
    )

    failure_policy: FailurePolicy = Field(
        default=FailurePolicy.SAFE_MESSAGE, description="For answers that do not pass, where a tenant sets none."
    )
    release_line: int = Field(default=7, ge=1, le=10, description="Weight from which a criterion must be met.")
    policy_status: PolicyStatus = Field(
        default=200, description="HTTP status where no answer passed; a 4xx makes it an error `content_filter`."
    )
    engine_errors: bool = Field(
        default=False, description="A failed upstream is a 502, 503 or 504; otherwise the policy answers with 200."
    )
    region: str = Field(default="generic", description="Whose emergency and crisis numbers are given.")
    max_revisions: int = Field(default=2, ge=0, le=4, description="Rounds of revision, at most.")
    draft_tokens: int = Field(
        default=1024, ge=16, description="Tokens of a draft or a rewrite, at most; a short context has fewer."
    )
    edits_tokens: int = Field(default=512, ge=16, description="Tokens of a reply of edits, at most.")
    deadline_ms: int = Field(default=120_000, ge=100, le=600_000, description="Longest time for one answer.")

    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body.")
    max_running: int = Field(default=64, ge=1, description="Answers worked on at once.")
    max_queued: int = Field(default=128, ge=0, description="Requests that wait for a place; further ones get 503.")
    drain_s: float = Field(default=30, ge=0, description="Time that running answers get after a first signal to end.")
    keep_alive_s: float = Field(default=10, gt=0, lt=60, description="Pause between keep-alives of a waiting stream.")
    keep_alive_style: Literal["comment", "delta"] = Field(
        default="comment", description="Empty deltas are for clients that stumble over comments."
    )
    cors_origins: tuple[Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")], ...] = Field(
        default=(), description="Pages of these origins may ask from a browser; none may unless set."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Lowest level logged.")

    @model_validator(mode="after")
    def _keys_beyond_loopback(self) -> Self:
        if self.host not in LOOPBACK and not self.has_keys:
            raise ValueError(
                f"host {self.host} is reachable from other machines, and no API key is set: "
                "set CLINALIGN_API_KEYS=name:key or [[tenants]] in the TOML file, or listen on 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _judges_that_are_there(self) -> Self:
        named = {self.judge, self.accept_judge}
        if "upstream" in named and self.judge_upstream is None:
            raise ValueError("judge upstream: no server is set; set CLINALIGN_JUDGE_UPSTREAM=http://.../v1")
        if "small" in named and self.small_judge_dir is None:
            raise ValueError("judge small: no folder is set; set CLINALIGN_SMALL_JUDGE_DIR")
        return self

    @property
    def accepting(self) -> JudgeName:
        """Who accepts revisions: as set, else a second judge where there is one, else the one that guides them."""
        if self.accept_judge is not None:
            return self.accept_judge
        if self.judge_upstream is not None and self.judge != "upstream":
            return "upstream"
        return "small" if self.small_judge_dir is not None else self.judge

    @property
    def has_keys(self) -> bool:
        """Whether any tenant has an API key."""
        return self.api_keys is not None or any(tenant.key_sha256 for tenant in self.tenants)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line first, then the environment, then the TOML file that CLINALIGN_CONFIG names."""
        del dotenv_settings, file_secret_settings
        config = os.environ.get("CLINALIGN_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, toml_file=config),) if config else ()
        return (init_settings, env_settings, *toml)


def read_settings(**given: object) -> Settings:
    """The settings, with those given on the command line on top (None is not given).

    Raises:
        SettingsError: a `CLINALIGN_*` variable or a key of the TOML file is no setting, a value is out of range, or
            the file cannot be read.

    """
    refuse_strangers()
    config = os.environ.get("CLINALIGN_CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"CLINALIGN_CONFIG: no file at {config}")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise SettingsError("; ".join(lines)) from error


def refuse_strangers() -> None:
    """Look through the environment for names of ours that nothing reads: a slip would leave the default in silence.

    Raises:
        SettingsError: there are such; the message names the nearest that there is.

    """
    known = OTHER_VARIABLES | {_PREFIX + name.upper() for name in Settings.model_fields}
    ours = sorted(name for name in os.environ if name.upper().startswith(_PREFIX))
    # What stands after two underscores is a part of a setting, which pydantic looks at.
    if strangers := [name for name in ours if name.upper().partition("__")[0] not in known]:
        raise SettingsError("; ".join(_unknown(name, sorted(known)) for name in strangers))


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name.upper().removeprefix(_PREFIX), [each.removeprefix(_PREFIX) for each in known], n=1)
    return f"{name}: no such setting" + (f": is it {_PREFIX}{near[0]}?" if near else ": see `clinalign settings`")


def describe_settings() -> list[dict[str, str]]:
    """Name of the variable, default and description of every setting, in order."""
    return [
        {
            "variable": f"CLINALIGN_{name.upper()}",
            "default": str(field.get_default(call_default_factory=True)),
            "description": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
