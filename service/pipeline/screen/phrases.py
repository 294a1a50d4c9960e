"""The language that phrases are written in, and the automaton that finds all of them in one pass over the words.

A phrase is words in a row: `chest pain`. A word may be a stem (`bleed*`), alternatives (`arm|leg`, with several words
joined as `dizzy|light_headed`), a named list (`$severe`), a number in a range (`38..42`), any of these optional
(`my?`), or a gap of up to four words (`...`, or `...7`). A phrase stays within a sentence. Each step is bounded, so the
time grows with the text alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from service.pipeline.screen.text import Words, words_in

_GAP = re.compile(r"\.\.\.(\d{0,2})")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_ARABIC = re.compile("[\u0621-\u064a]")
# "and", "so", "with", "for", "like" and the article are written onto an Arabic word.
_CLITICS = re.compile("^[\u0648\u0641]?[\u0628\u0644\u0643]?(?:\u0627\u0644|(?<=\u0644)\u0644)?")
_CONJUNCTION = re.compile("^[\u0648\u0641]")
_USUAL_GAP = 4

Walls = frozenset[str]  # words that no gap reaches over: `has no convulsions` is not `has ... convulsions`
Hit = tuple[int, int]  # the words [first, last) that a phrase covers
Atoms = Sequence[Sequence[str]]  # for each word of a text, the words, stems and ranges of phrases that it is one of


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the phrases of a language may use: its named lists, and the walls of its gaps."""

    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    walls: Walls = frozenset()


class PhraseRejected(ValueError):
    """The phrase cannot be read; the message says why."""


@dataclass(eq=False, slots=True)
class _Node:
    """A state: where words lead (a set of alternatives to one state), gaps that may be skipped, and the groups whose
    phrase is complete here. `onward` says the same word by word, and is made when the state is first reached.
    """  # noqa: D205 - one sentence too long for one line

    edges: dict[frozenset[str], "_Node"] = field(default_factory=dict)
    gaps: dict[tuple[int, Walls], "_Node"] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    onward: "dict[str, tuple[_Node, ...]] | None" = None

    def follow(self, atoms: frozenset[str]) -> "_Node":
        """The state that these alternatives lead to."""
        self.onward = None
        return self.edges.setdefault(atoms, _Node())

    def leads(self) -> "dict[str, tuple[_Node, ...]]":
        """By word, stem or range, the states that it leads to."""
        if self.onward is not None:
            return self.onward
        onward: dict[str, tuple[_Node, ...]] = {}
        for atoms, node in self.edges.items():
            for atom in atoms:
                onward[atom] = (*onward.get(atom, ()), node)
        self.onward = onward
        return onward


_NOWHERE: tuple[_Node, ...] = ()


@dataclass(eq=False, slots=True)
class Phrasebook:
    """Groups of phrases, each group known by a number. What is `misspelt` is read as the right word, too."""

    misspelt: Mapping[str, str] = field(default_factory=dict)
    _root: _Node = field(default_factory=_Node)
    _exact: set[str] = field(default_factory=set)
    _stems: set[str] = field(default_factory=set)
    _longest_stem: int = 0
    _ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

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
        atoms = [self._atoms_of(text) for text in words.texts]
        begins = self._root.leads()
        found: dict[int, list[Hit]] = {}
        for start, first in enumerate(atoms):
            begun = [(node, start + 1) for atom in first for node in begins.get(atom, ())]
            if begun:
                _walk(begun, atoms, words, start=start, into=found)
        return found

    def _atoms_of(self, text: str) -> Sequence[str]:
        """The words, stems and ranges of phrases that a word of a text is one of."""
        known = self._lookup(text)
        if known or not _REPEATED.search(text):
            return known
        return self._lookup(_REPEATED.sub(r"\1", text)) or self._lookup(_REPEATED.sub(r"\1\1", text))

    def _lookup(self, text: str) -> list[str]:
        if text[0].isdecimal():  # so are numbers cut; a circled digit is none
            value = float(text.replace(",", "."))
            return [text, *(atom for atom, (low, high) in self._ranges.items() if low <= value <= high)]
        known = self._spelt(text)
        if _ARABIC.match(text):
            # What looks written onto a word may be its own beginning (`and not`), so both readings are tried.
            bare = {_CLITICS.sub("", text), _CONJUNCTION.sub("", text)} - {text}
            known += [atom for word in sorted(bare) if len(word) > 1 for atom in self._spelt(word)]
        if (right := self.misspelt.get(text)) is not None:
            known += [atom for atom in self._spelt(right) if atom not in known]
        return known

    def _spelt(self, text: str) -> list[str]:
        stems = self._stems
        known = [text] if text in self._exact else []
        known += [
            f"{stem}*" for end in range(2, min(len(text), self._longest_stem) + 1) if (stem := text[:end]) in stems
        ]
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
        for step in row:
            atoms = frozenset({step} if isinstance(step, str) else step)
            self._know(atoms)
            nodes = [node.follow(atoms) for node in nodes]
        return nodes

    def _know(self, atoms: frozenset[str]) -> None:
        for atom in atoms:
            if numbers := _RANGE.fullmatch(atom):
                self._ranges[atom] = float(numbers[1]), float(numbers[2])
            elif atom.endswith("*"):
                self._stems.add(atom[:-1])
                self._longest_stem = max(self._longest_stem, len(atom) - 1)
            else:
                self._exact.add(atom)


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
    waiting: list[tuple[_Node, int]], atoms: Atoms, words: Words, *, start: int, into: dict[int, list[Hit]]
) -> None:
    """Write down the groups whose phrase is completed from these states, and where it ends. This is the hot path."""
    sentences, count = words.sentences, len(atoms)
    while waiting:
        node, place = waiting.pop()
        for group in node.ends:
            into.setdefault(group, []).append((start, place))
        for (gap, walls), beyond in node.gaps.items():
            waiting += _leap(beyond, range(place, min(place + gap, count) + 1), walls, atoms, words, start=start)
        if node.edges and place < count and sentences[place] == sentences[start]:
            onward = node.leads()
            waiting += [(reached, place + 1) for atom in atoms[place] for reached in onward.get(atom, _NOWHERE)]


def _leap(
    beyond: _Node, places: range, walls: Walls, atoms: Atoms, words: Words, *, start: int
) -> list[tuple[_Node, int]]:
    """The states reached beyond a gap that ends at any of these places."""
    onward = beyond.leads()
    optional = bool(beyond.ends or beyond.gaps)  # what follows the gap may be left out
    reached: list[tuple[_Node, int]] = []
    for place in places:
        if optional:
            reached.append((beyond, place))
        if place == len(atoms) or words.sentences[place] != words.sentences[start]:
            break
        if not optional:
            reached += [(node, place + 1) for atom in atoms[place] for node in onward.get(atom, _NOWHERE)]
        if words.texts[place] in walls:
            break
    return reached


def _named(choice: str, *, grammar: Grammar, within: tuple[str, ...]) -> Sequence[str]:
    if choice in within:
        raise PhraseRejected(f"the list {choice} holds itself")
    if choice[1:] not in grammar.lists:
        raise PhraseRejected(f"there is no list {choice}")
    return grammar.lists[choice[1:]]
