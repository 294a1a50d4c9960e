"""The language that phrases are written in, and the automaton that finds all of them in one pass over the words.

A phrase is words in a row: `chest pain`. A word may be a stem (`bleed*`), alternatives (`arm|leg`, with several words
joined as `dizzy|light_headed`), a named list (`$severe`), a number in a range (`38..42`), any of these optional
(`my?`), or a gap of up to four words (`...`, or `...7`). A phrase stays within a sentence. Each step is bounded, so the
time grows with the text alone.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from service.pipeline.screen.text import Words, words_in

_GAP = re.compile(r"\.\.\.(\d{0,2})")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_ARABIC = re.compile("[\u0621-\u064a]")
# "and", "so", "with", "for", "like" and the article are written onto an Arabic word.
_CLITICS = re.compile("^[\u0648\u0641]?[\u0628\u0644\u0643]?(?:\u0627\u0644|(?<=\u0644)\u0644)?")
_USUAL_GAP = 4

Walls = frozenset[str]  # words that no gap reaches over: `has no convulsions` is not `has ... convulsions`
Hit = tuple[int, int]  # the words [first, last) that a phrase covers


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the phrases of a language may use: its named lists, and the walls of its gaps."""

    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    walls: Walls = frozenset()


class PhraseRejected(ValueError):
    """The phrase cannot be read; the message says why."""


@dataclass(eq=False, slots=True)
class _Node:
    """A state: where each slot leads, gaps that may be skipped, and the groups whose phrase is complete here."""

    edges: dict[int, "_Node"] = field(default_factory=dict)
    gaps: dict[tuple[int, Walls], "_Node"] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Phrasebook:
    """Groups of phrases, each group known by a number."""

    _root: _Node = field(default_factory=_Node)
    _slots: dict[frozenset[str], int] = field(default_factory=dict)
    _exact: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _stems: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _longest_stem: int = 0
    _ranges: list[tuple[float, float, int]] = field(default_factory=list)

    def add(self, phrase: str, *, group: int, grammar: Grammar) -> None:
        """Take in one phrase, written in the grammar of its language.

        Raises:
            PhraseRejected: it is empty, names an unknown list, or holds something that is no word.

        """
        for node in self._extend([self._root], phrase, grammar=grammar, within=()):
            if node is self._root:
                raise PhraseRejected(f"{phrase!r} could match nothing at all")
            if group not in node.ends:
                node.ends.append(group)

    def find(self, words: Words) -> dict[int, list[Hit]]:
        """Every place where a phrase of a group stands, by group, in the order of their first words."""
        slots = [self._slots_of(text) for text in words.texts]
        found: dict[int, list[Hit]] = {}
        for start, first in enumerate(slots):
            begun = [(self._root.edges[slot], start + 1) for slot in first if slot in self._root.edges]
            for group, end in _walk(begun, slots, words, words.sentences[start]):
                found.setdefault(group, []).append((start, end))
        return found

    def _slots_of(self, text: str) -> Sequence[int]:
        known = self._lookup(text)
        if known or not _REPEATED.search(text):
            return known
        return self._lookup(_REPEATED.sub(r"\1", text)) or self._lookup(_REPEATED.sub(r"\1\1", text))

    def _lookup(self, text: str) -> Sequence[int]:
        if text[0].isdigit():
            value = float(text.replace(",", "."))
            return [*self._exact.get(text, ()), *(slot for low, high, slot in self._ranges if low <= value <= high)]
        known = self._spelt(text)
        if _ARABIC.match(text) and (bare := _CLITICS.sub("", text)) != text and len(bare) > 1:
            known += self._spelt(bare)
        return known

    def _spelt(self, text: str) -> list[int]:
        known = list(self._exact.get(text, ()))
        for length in range(2, min(len(text), self._longest_stem) + 1):
            known += self._stems.get(text[:length], ())
        return known

    def _extend(self, nodes: list[_Node], phrase: str, *, grammar: Grammar, within: tuple[str, ...]) -> list[_Node]:
        """The states reached from `nodes` by reading the phrase; `within` are the lists being expanded."""
        steps = phrase.split()
        if not steps:
            raise PhraseRejected("an empty phrase")
        for step in steps:
            optional = step.endswith("?")
            reached = self._step(nodes, step.removesuffix("?"), grammar=grammar, within=within)
            nodes = [*nodes, *(node for node in reached if node not in nodes)] if optional else reached
        return nodes

    def _step(self, nodes: list[_Node], step: str, *, grammar: Grammar, within: tuple[str, ...]) -> list[_Node]:
        if gap := _GAP.fullmatch(step):
            size = int(gap[1] or _USUAL_GAP)
            return [node.gaps.setdefault((size, grammar.walls), _Node()) for node in nodes]
        if step.startswith("...") or step.endswith("..."):
            raise PhraseRejected(f"{step!r} is no gap")
        atoms: set[str] = set()
        reached: list[_Node] = []
        for choice in step.split("|"):
            inner = (*within, choice) if choice.startswith("$") else within
            for phrase in _named(choice, grammar=grammar, within=within) if choice.startswith("$") else (choice,):
                match _atoms(phrase):
                    case [] if phrase == choice:
                        raise PhraseRejected(f"{choice!r} is neither a word, a list, a range nor a gap")
                    case []:
                        reached += self._extend(nodes, phrase, grammar=grammar, within=inner)
                    case [atom]:
                        atoms.add(atom)
                    case several:
                        reached += self._follow(nodes, several)
        return [*reached, *self._follow(nodes, [atoms])] if atoms else reached

    def _follow(self, nodes: list[_Node], row: Sequence[str | set[str]]) -> list[_Node]:
        for atoms in row:
            slot = self._slot(frozenset({atoms} if isinstance(atoms, str) else atoms))
            nodes = [node.edges.setdefault(slot, _Node()) for node in nodes]
        return nodes

    def _slot(self, atoms: frozenset[str]) -> int:
        if atoms not in self._slots:
            slot = self._slots[atoms] = len(self._slots)
            for atom in atoms:
                if numbers := _RANGE.fullmatch(atom):
                    self._ranges.append((float(numbers[1]), float(numbers[2]), slot))
                elif atom.endswith("*"):
                    self._stems[atom[:-1]].append(slot)
                    self._longest_stem = max(self._longest_stem, len(atom) - 1)
                else:
                    self._exact[atom].append(slot)
        return self._slots[atoms]


@lru_cache(maxsize=32_768)
def _atoms(phrase: str) -> tuple[str, ...]:
    """The words that a phrase without grammar comes to, folded; none where it has grammar of its own.

    `self-harm` and a Chinese expression are several words written as one.
    """
    if _RANGE.fullmatch(phrase):
        return (phrase,)
    if any(sign in phrase for sign in "$|? ") or "..." in phrase:
        return ()
    texts = words_in(phrase).texts
    if not texts:
        raise PhraseRejected(f"{phrase!r} holds no word")
    return (*texts[:-1], f"{texts[-1]}*") if phrase.endswith("*") else tuple(texts)


def _walk(
    waiting: list[tuple[_Node, int]], slots: Sequence[Sequence[int]], words: Words, sentence: int
) -> Iterator[tuple[int, int]]:
    """The groups whose phrase is completed from these states, and where it ends. This is the hot path."""
    texts, sentences, count = words.texts, words.sentences, len(slots)
    while waiting:
        node, place = waiting.pop()
        for group in node.ends:
            yield group, place
        for (gap, walls), beyond in node.gaps.items():
            for further in range(place, min(place + gap, count) + 1):
                waiting.append((beyond, further))
                if further < count and texts[further] in walls:
                    break
        edges = node.edges
        if edges and place < count and sentences[place] == sentence:
            waiting += [(edges[slot], place + 1) for slot in slots[place] if slot in edges]


def _named(choice: str, *, grammar: Grammar, within: tuple[str, ...]) -> Sequence[str]:
    if choice in within:
        raise PhraseRejected(f"the list {choice} holds itself")
    if choice[1:] not in grammar.lists:
        raise PhraseRejected(f"there is no list {choice}")
    return grammar.lists[choice[1:]]
