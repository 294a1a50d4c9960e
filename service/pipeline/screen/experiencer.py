"""Experiencer: whether words that name a danger tell of an animal, or of somebody in a text that is made up or studied.

A person who is named before the danger in the same sentence has it (`my dog bit me and I am bleeding`), and so has the
writer who tells of their own in the midst of a story.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

from service.pipeline.screen.phrases import Hit
from service.pipeline.screen.sources import CueKind
from service.pipeline.screen.stretches import apart, inside
from service.pipeline.screen.text import Words

_OWN_REACH = 8  # words from `I have` to what the writer has


class Experiencer:
    """Who has it, by the cues of one language."""

    def __init__(self, words: Words, cues: Mapping[CueKind, Sequence[Hit]]) -> None:
        self._words = words

        def beside(kind: CueKind, *others: CueKind) -> list[Hit]:
            stretches = apart([hit for other in others for hit in cues.get(other, ())])
            return [hit for hit in cues.get(kind, ()) if not inside(hit, stretches)]

        animals = apart(beside(CueKind.ANIMAL, CueKind.NO_ANIMAL))
        humans = beside(CueKind.HUMAN, CueKind.NO_HUMAN) if animals else []
        self._animals = self._first(animals)
        self._humans = self._first([hit for hit in humans if not inside(hit, animals)])
        told = [*cues.get(CueKind.STUDY, ()), *cues.get(CueKind.FICTION, ())]
        self._made_up = {words.messages[first] for first, _ in told}
        own, stretches = beside(CueKind.OWN_DANGER, CueKind.NO_OWN_DANGER) if told else [], apart(told)
        self._own = sorted(hit for hit in own if not inside(hit, stretches))
        self._fiction = self._first(cues.get(CueKind.FICTION, ()))
        self._writers = self._first(cues.get(CueKind.OWN, ())) if self._fiction else {}

    def is_made_up(self, hit: Hit) -> bool:
        """Whether it stands in a text that is made up or studied, and is not told as the writer's own."""
        if self._words.messages[hit[0]] not in self._made_up:
            return False
        near = self._own[bisect_left(self._own, (hit[0] - _OWN_REACH, 0)) : bisect_left(self._own, (hit[1], 0))]
        return not any(self._words.sentences[cue[0]] == self._words.sentences[hit[0]] for cue in near)

    def is_animals(self, hit: Hit) -> bool:
        """Whether an animal is named before it, and nobody else."""
        sentence = self._words.sentences[hit[0]]
        named = self._animals.get(sentence, hit[1]) <= hit[0]
        return named and self._humans.get(sentence, hit[1]) >= hit[1]

    def animals_sentences(self) -> Iterator[Hit]:
        """The sentences, from first word to last, that name an animal and nobody else."""
        numbers = self._words.sentences
        for sentence in self._animals.keys() - self._humans.keys():
            yield bisect_left(numbers, sentence), bisect_right(numbers, sentence)

    def made_up_sentences(self) -> Iterator[Hit]:
        """The sentences that say that they are made up, and those after them in the message that leave the writer out.

        None of them tells of a danger of the writer's own.
        """
        numbers = self._words.sentences
        own = {numbers[first] for first, _ in self._own}
        for opening in self._fiction:
            message, sentence = self._words.messages[bisect_left(numbers, opening)], opening
            while (start := bisect_left(numbers, sentence)) < len(numbers) and self._words.messages[start] == message:
                if sentence not in own and (sentence in self._fiction or sentence not in self._writers):
                    yield start, bisect_right(numbers, sentence)
                sentence = numbers[start] + 1

    def _first(self, hits: Sequence[Hit]) -> dict[int, int]:
        """By sentence, where the first of the hits begins."""
        first: dict[int, int] = {}
        for start, _ in sorted(hits):
            first.setdefault(self._words.sentences[start], start)
        return first
