"""Screen: the conversation comes in, red flags and what must be said about them go out, without a model.

Rules in `families/*.yaml` are phrases and sets of phrases; `context` drops what is denied, long over, supposed or
asked about in general. Where they find nothing, the learned head reads the conversation too; where the head fails,
the rules stand alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from service.domain.assessment import FlagSource, RedFlag, Span
from service.domain.conversation import Conversation
from service.domain.enquiry import Audience
from service.observability.logs import failed
from service.pipeline.screen.advice import Advice, read_advice
from service.pipeline.screen.answers import Answers, read_answers
from service.pipeline.screen.head import Head, Sighting
from service.pipeline.screen.language import is_plain_english, language_of, language_spoken
from service.pipeline.screen.phrases import Hit
from service.pipeline.screen.rules import Match, Rulebook, Survey, compile_rules
from service.pipeline.screen.sources import read_sources
from service.pipeline.screen.text import Words, words_of
from service.pipeline.screen.windows import passages_of
from service.pipeline.screen.writer import hit_of, writer_of

__all__ = ["Screen", "Screened", "is_plain_english", "language_of", "language_spoken", "passages_of"]


@dataclass(frozen=True, slots=True)
class Screened:
    """The flags of a conversation, and whether the head was needed and failed, so that the rules stand alone.

    `audience` is who reads: as the request says, else as the person says of themselves.
    """

    flags: tuple[RedFlag, ...]
    rules_alone: bool = False
    audience: Audience | None = None


@dataclass(frozen=True)
class Screen:
    """The rules of the package and of `folder`, with the numbers of `region` (a key of regions.yaml).

    `language` is what advice is given in; None: that of the latest question, or what `duty` is told. Without a
    `head` there are the rules alone.

    Raises:
        SettingsError: a rule file, an advice file or the region is wrong.

    """

    region: str = "generic"
    language: str | None = None
    folder: Path | None = None
    head: Head | None = field(default=None, repr=False, compare=False)
    _rulebook: Rulebook = field(init=False, repr=False, compare=False)
    _advice: Advice = field(init=False, repr=False, compare=False)
    _answers: Answers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rulebook, advice, answers = _load(self.region, self.folder)
        object.__setattr__(self, "_rulebook", rulebook)
        object.__setattr__(self, "_advice", advice)
        object.__setattr__(self, "_answers", answers)

    def examine(self, conversation: Conversation, *, audience: Audience | None) -> Screened:
        """The rules' flags, or else the head's, if it sees danger; one that fails takes nothing from the rules."""
        survey = self._survey(conversation)
        screened = self.read(survey, conversation, audience=audience)
        if screened.flags or self.head is None:
            return screened
        try:
            seen = self.head.look(conversation, left_out=_spans(survey))
        except Exception as error:  # noqa: BLE001 - a runtime of another's code: whatever broke in it, the rules stand
            failed(error)
            return replace(screened, rules_alone=True)
        if seen is None:
            return screened
        reads = audience or writer_of(survey, [hit_of(seen.span, survey.words)])
        language = self.language or language_spoken(conversation)
        advice = self._advice.say([seen.family], audience=reads, language=language)
        return Screened((RedFlag(seen.family, seen.span, advice, FlagSource.HEAD),), audience=reads)

    def by_rules(self, conversation: Conversation, *, audience: Audience | None) -> Screened:
        """What the rules find: at most one flag per family, in the order in which they stand in the conversation."""
        return self.read(self._survey(conversation), conversation, audience=audience)

    def read(self, survey: Survey, conversation: Conversation, *, audience: Audience | None) -> Screened:
        """The same of a conversation that was surveyed already: `examine` gives its survey to the head too."""
        first: dict[str, Match] = {}
        dangers: list[Hit] = []
        for match in survey.matches():
            dangers += match.shown
            held = first.setdefault(match.rule.family, match)
            if match.evidence < held.evidence:
                first[match.rule.family] = match
        reads = audience or writer_of(survey, dangers)
        language = self.language or (language_spoken(conversation) if first else None)
        flags = tuple(
            RedFlag(
                family=match.rule.family,
                evidence=_span(survey.words, match.evidence),
                advice=self._advice.say([match.rule.family], audience=reads, language=language),
            )
            for match in sorted(first.values(), key=lambda match: match.evidence)
        )
        return Screened(flags, audience=reads)

    def screen(self, conversation: Conversation, *, audience: Audience | None) -> tuple[RedFlag, ...]:
        """The flags of the rules."""
        return self.by_rules(conversation, audience=audience).flags

    def _survey(self, conversation: Conversation) -> Survey:
        return self._rulebook.survey(words_of(conversation, self._answers.confirmed(conversation)))

    def highest(self, conversation: Conversation) -> Sighting | None:
        """What the head sees most danger in, whatever its score; None without a head, or with nothing to read."""
        return self.head.highest(conversation, left_out=_spans(self._survey(conversation))) if self.head else None

    def duty(self, flags: Sequence[RedFlag], *, audience: Audience | None, language: str | None = None) -> str:
        """The words to put before the answer: one call to action for all flags. Empty without flags.

        Only Audience.CLINICIAN is given a clinical prompt: where nobody said who reads, it may be a patient.
        """
        families = [flag.family for flag in flags]
        return self._advice.say(families, audience=audience, language=self.language or language)


def _spans(survey: Survey) -> list[Span]:
    """What the head need not read: it cannot tell a dog, or a hero, from a man."""
    return [_span(survey.words, sentence) for sentence in survey.nobodys()]


def _span(words: Words, evidence: tuple[int, int]) -> Span:
    first, last = evidence
    return Span(words.messages[first], words.starts[first], words.ends[last - 1])


@cache
def _load(region: str, folder: Path | None) -> tuple[Rulebook, Advice, Answers]:
    folders = [files(__name__), *([folder] if folder else [])]
    sources = read_sources(folders)
    families = {family.name for family in sources.families}
    return compile_rules(sources), read_advice(folders, region=region, families=families), read_answers(folders[0])
