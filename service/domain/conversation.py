"""What was said: messages, in order, as the clinical app sent them."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an assistant asks for; `arguments` is JSON as text, unparsed."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns so far; the last is a user's or a tool's, and a user spoke at least once."""

    messages: tuple[Message, ...]

    @property
    def question(self) -> str:
        """The latest words of the user."""
        return next(m.content for m in reversed(self.messages) if m.role is Role.USER)

    @property
    def instructions(self) -> str:
        """The app's own system and developer texts, in order, joined by blank lines."""
        spoken = (m.content for m in self.messages if m.role in {Role.SYSTEM, Role.DEVELOPER})
        return "\n\n".join(text for text in spoken if text)

    @property
    def turns(self) -> tuple[Message, ...]:
        """All but the system and developer texts."""
        return tuple(m for m in self.messages if m.role not in {Role.SYSTEM, Role.DEVELOPER})
