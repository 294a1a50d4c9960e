"""What an engine is asked and what it gives back."""

from dataclasses import dataclass, field

from service.domain.conversation import Message, ToolCall
from service.domain.enquiry import Sampling, Shape


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages ready for a chat template, and the shape the reply must have."""

    messages: tuple[Message, ...]
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or several model calls.

    `incomplete_calls` are those whose server did not tell them to the end: they were cut by a deadline, broke off, or
    the server tells none. What it had told of them is counted.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    incomplete_calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.incomplete_calls + other.incomplete_calls,
        )

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class TokenProbability:
    """A token that could have come first, and its probability."""

    token: str
    probability: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote. `first_token` is empty unless probabilities were asked for."""

    text: str
    finish_reason: str
    usage: Usage = field(default_factory=Usage)
    tool_calls: tuple[ToolCall, ...] = ()
    first_token: tuple[TokenProbability, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One call: a prompt, how to sample the reply, and how many first-token alternatives to report (0: none).

    Only calls of the same `cache_salt` share a prefix cache, where the engine can keep them apart.
    """

    prompt: Prompt
    sampling: Sampling
    top_probabilities: int = 0
    cache_salt: str = field(default="", repr=False)
