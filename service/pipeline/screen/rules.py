"""Rules: compiled once, then matched against a conversation's words in one pass."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.domain.errors import SettingsError
from service.pipeline.screen.context import Context
from service.pipeline.screen.language import ruled_out
from service.pipeline.screen.phrases import Grammar, Hit, Phrasebook, PhraseRejected
from service.pipeline.screen.sources import CueKind, Dismissal, Rule, Sources
from service.pipeline.screen.stretches import apart, inside
from service.pipeline.screen.text import Words


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds, the words [first, last) of one message that show it, and all that show it by themselves."""

    rule: Rule
    evidence: Hit
    shown: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Compiled rules. A group is the phrases of one part of a rule, of an exception or of a cue, known by a number."""

    phrasebook: Phrasebook
    rules: tuple[tuple[Rule, tuple[int, ...]], ...]
    excepted: Mapping[str, tuple[int, ...]]
    cues: Mapping[str, Mapping[CueKind, int]]
    begun: Mapping[int, tuple[int, ...]]  # by group, the places of the rules whose first it is

    def survey(self, words: Words) -> "Survey":
        """What the phrases of rules and cues find in these words."""
        return Survey(self, words, self.phrasebook.find(words))


class Survey:
    """One conversation's hits, and which of them stand."""

    def __init__(self, rulebook: Rulebook, words: Words, hits: Mapping[int, Sequence[Hit]]) -> None:
        self.words = words
        self._rulebook, self._hits = rulebook, hits
        self._ruled_out = {message: ruled_out(texts) for message, texts in words.by_message().items()}
        self._contexts: dict[str, Context] = {}
        self._judged: dict[tuple[str, Hit], frozenset[Dismissal]] = {}
        self._excepted: dict[str, list[Hit]] = {}

    def matches(self) -> Iterator[Match]:
        """The rules that hold for these words, in the order of the files.

        In English messages the rules of other languages in Latin script are left out: they share words with English
        (`suicidal`, `overdose`) whose context only the English cues can read. So are those of languages that a message
        is surely not in (`infarto` is Spanish, Portuguese and Italian).
        """
        book = self._rulebook
        for place in sorted({place for group in self._hits for place in book.begun.get(group, ())}):
            rule, groups = book.rules[place]
            if all(group in self._hits for group in groups) and (evidence := self._evidence(rule, groups)):
                yield Match(rule, evidence, tuple(self._standing(rule, *groups)) if len(groups) == 1 else (evidence,))

    def cues(self, language: str, kind: CueKind) -> Sequence[Hit]:
        """Where the cues of a kind stand."""
        group = self._rulebook.cues.get(language, {}).get(kind)
        return self._hits.get(group, ()) if group is not None else ()

    def nobodys(self) -> Iterator[Hit]:
        """The sentences that tell of an animal and of nobody else, or of what is made up."""
        for language in self._rulebook.cues:
            experiencer = self._context(language).experiencer
            yield from experiencer.animals_sentences()
            yield from experiencer.made_up_sentences()

    def _evidence(self, rule: Rule, groups: Sequence[int]) -> Hit | None:
        """The first words that show the rule, or None where no full set of groups stands."""
        anchors, *others = (self._standing(rule, group) for group in groups)
        for anchor in anchors:
            partners = [self._partner(anchor, hits, within=rule.within) for hits in others]
            if None not in partners:
                return self._hull([anchor, *(hit for hit in partners if hit is not None)])
        return None

    def _standing(self, rule: Rule, group: int) -> list[Hit]:
        excepted = self._excepted_of(rule.family)
        return [
            hit
            for hit in self._hits[group]
            if not inside(hit, excepted)
            and rule.language not in self._ruled_out[self.words.messages[hit[0]]]
            and self._dismissals(rule.language, hit) <= rule.stands
        ]

    def _excepted_of(self, family: str) -> list[Hit]:
        if family not in self._excepted:
            groups = self._rulebook.excepted.get(family, ())
            self._excepted[family] = apart([hit for group in groups for hit in self._hits.get(group, ())])
        return self._excepted[family]

    def _dismissals(self, language: str, hit: Hit) -> frozenset[Dismissal]:
        if (language, hit) not in self._judged:
            self._judged[language, hit] = self._context(language).dismissals(hit)
        return self._judged[language, hit]

    def _context(self, language: str) -> Context:
        if language not in self._contexts:
            cues = self._rulebook.cues.get(language, {})
            self._contexts[language] = Context(self.words, {k: self._hits.get(g, ()) for k, g in cues.items()})
        return self._contexts[language]

    def _partner(self, anchor: Hit, hits: Sequence[Hit], *, within: int | None) -> Hit | None:
        """A hit of another group near enough to the anchor, in its message; anywhere where `within` is None."""
        if within is None:
            return hits[0] if hits else None
        for hit in hits[bisect_left(hits, (anchor[0] - within, 0)) :]:
            if hit[0] > anchor[0] + within:
                return None
            if self.words.messages[hit[0]] == self.words.messages[anchor[0]]:
                return hit
        return None

    def _hull(self, hits: Sequence[Hit]) -> Hit:
        """From the first to the last of the hits that share the latest message."""
        latest = max(self.words.messages[first] for first, _ in hits)
        shared = [hit for hit in hits if self.words.messages[hit[0]] == latest]
        return min(first for first, _ in shared), max(last for _, last in shared)


def compile_rules(sources: Sources) -> Rulebook:
    """The rulebook of these sources.

    Raises:
        SettingsError: a phrase cannot be read; the message names file and rule.

    """
    groups = _Groups(sources)
    rules: list[tuple[Rule, tuple[int, ...]]] = []
    excepted: dict[str, list[int]] = {}
    for family in sources.families:
        for rule in family.rules:
            where = f"{family.file}: {family.name}: rule {rule.id}"
            rules.append((rule, tuple(groups.number(phrases, rule.language, where=where) for phrases in rule.groups)))
        where = f"{family.file}: {family.name}: except"
        excepted.setdefault(family.name, []).append(groups.number(family.excepted, family.language, where=where))
    cues = {
        language: {kind: groups.number(p, language, where=f"cues/{language}.yaml: {kind}") for kind, p in kinds.items()}
        for language, kinds in sources.cues.items()
    }
    begun: dict[int, tuple[int, ...]] = {}
    for place, (_, (first, *_)) in enumerate(rules):
        begun[first] = (*begun.get(first, ()), place)
    return Rulebook(groups.phrasebook, tuple(rules), {name: tuple(g) for name, g in excepted.items()}, cues, begun)


class _Groups:
    """Numbers the groups of phrases while the phrasebook grows."""

    def __init__(self, sources: Sources) -> None:
        self.phrasebook = Phrasebook(sources.misspelt)
        self._grammars = {
            language: Grammar(
                sources.lists.get(language, {}), frozenset(sources.cues.get(language, {}).get(CueKind.WALL, ()))
            )
            for language in {*sources.lists, *sources.cues}
        }
        self._count = 0

    def number(self, phrases: Sequence[str], language: str, *, where: str) -> int:
        self._count += 1
        for phrase in phrases:
            try:
                self.phrasebook.add(phrase, group=self._count, grammar=self._grammars.get(language, Grammar()))
            except PhraseRejected as error:
                raise SettingsError(f"{where}: {phrase!r}: {error}") from error
        return self._count
