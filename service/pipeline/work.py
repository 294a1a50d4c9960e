"""What has come of one enquiry so far, and what may be spent on it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from service.domain.answer import Candidate, Judged, Revision
from service.domain.assessment import Assessment
from service.domain.completion import Usage
from service.domain.enquiry import Enquiry
from service.domain.errors import EngineError
from service.pipeline import retrieve

# No answer is worth drafting in less.
_FEWEST_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pipeline may spend: tokens of a draft or rewrite, of edits, and room kept for the guide."""

    draft_tokens: int = 1024
    edits_tokens: int = 512
    guide_tokens: int = 700
    max_revisions: int = 2
    nearness: retrieve.Nearness = field(default_factory=retrieve.Nearness)

    def within(self, context_tokens: int) -> "Limits":
        """What a context of that length has room for: half of what the guide leaves of it is the conversation's."""
        most = max(_FEWEST_TOKENS, (context_tokens - self.guide_tokens) // 4)
        return replace(self, draft_tokens=min(self.draft_tokens, most), edits_tokens=min(self.edits_tokens, most))

    @property
    def reserve(self) -> int:
        """Tokens kept free of the conversation: for the guide, a draft, and what is written of it anew."""
        return 2 * self.draft_tokens + self.guide_tokens


@dataclass(slots=True)
class Work:
    """What has come of one enquiry so far: read when it ends, however it ends.

    `first` is the draft and `best` the candidate that stands, both as they were judged.
    """

    assessment: Assessment
    asked: Enquiry
    first: Judged | None = None
    best: Judged | None = None
    chore: Candidate | None = None
    revisions: list[Revision] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)

    def spend(self, stage: str, usage: Usage) -> None:
        """Count what a stage's model calls cost."""
        self.usage[stage] = self.usage.get(stage, Usage()) + usage

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time inside the context to the stage's, and what a call that failed there had cost."""
        began = time.perf_counter()
        try:
            yield
        except EngineError as error:
            if error.spent != Usage():
                self.spend(stage, error.spent)
            raise
        finally:
            spent = (time.perf_counter() - began) * 1000
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + spent
