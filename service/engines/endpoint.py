"""What is said of an upstream server before anyone has spoken to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from service.domain.errors import SettingsError

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible server. `base_url` ends in /v1; an empty `model` takes the first that is listed.

    `extra_body` goes with every completion and gives way to the request's own fields. `read_timeout_s` is the longest
    silence between two pieces, in seconds. `context_tokens` stands in where the listing says nothing. `reasoning`: the
    model can think, and the server keeps its thoughts apart from its answer.

    Raises:
        SettingsError: the URL is not http(s)://.../v1 or holds a password, the key fits no header, or a bound is not
            positive.

    """

    base_url: str
    model: str = ""
    api_key: str = field(default="", repr=False)
    extra_body: Mapping[str, Json] = field(default_factory=dict)
    max_concurrency: int = 64
    max_retries: int = 2
    keep_alive: bool = True
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0
    context_tokens: int = 4096
    checkpoint_digest: str = ""
    demonstration: bool = False
    reasoning: bool = False

    def __post_init__(self) -> None:
        if "@" in self.base_url:
            raise SettingsError("the engine's URL holds a name or password: set its key as the upstream key instead")
        if not _is_api(self.base_url):
            raise SettingsError(f"the engine's URL must be http(s)://host/v1, not {self.base_url!r}")
        if not all("!" <= letter <= "~" for letter in self.api_key):
            raise SettingsError("the engine's key holds a space, a line's end or a letter that no header can carry")
        bounds = (self.max_concurrency, self.connect_timeout_s, self.read_timeout_s, self.context_tokens)
        if min(bounds) <= 0 or self.max_retries < 0:
            raise SettingsError(
                "the engine's concurrency, timeouts and context must be positive, its retries 0 or more"
            )

    @property
    def api(self) -> str:
        """The base URL without a closing slash."""
        return self.base_url.rstrip("/")

    @property
    def root(self) -> str:
        """The server's address above /v1."""
        return self.api.removesuffix("/v1")


def _is_api(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and _ends_in_v1(parts)
    except ValueError:
        return False


def _ends_in_v1(parts: SplitResult) -> bool:
    return parts.path.rstrip("/").endswith("/v1") and not parts.query and not parts.fragment
