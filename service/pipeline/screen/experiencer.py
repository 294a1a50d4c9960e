"""Experiencer: whether words that name a danger tell of an animal, or of somebody in a text that is made up or studied.

A person who is named before the danger in the same sentence has it (`my dog bit me and I am bleeding`), and so has the
writer who tells of their own in the midst of a story.
"""

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

        self._animals = apart(beside(CueKind.ANIMAL, CueKind.NO_ANIMAL))
        humans = beside(CueKind.HUMAN, CueKind.NO_HUMAN) if self._animals else []
        self._humans = [hit for hit in humans if not inside(hit, self._animals)]
        told = [*cues.get(CueKind.STUDY, ()), *cues.get(CueKind.FICTION, ())]
        self._made_up = {words.messages[first] for first, _ in told}
        own = beside(CueKind.OWN_DANGER, CueKind.NO_OWN_DANGER) if told else []
        self._own = [hit for hit in own if not inside(hit, apart(told))]

    def is_made_up(self, hit: Hit) -> bool:
        """Whether it stands in a text that is made up or studied, and is not told as the writer's own."""
        own = any(self._together(cue, hit) and hit[0] - cue[1] <= _OWN_REACH for cue in self._own if cue[0] < hit[1])
        return self._words.messages[hit[0]] in self._made_up and not own

    def is_animals(self, hit: Hit) -> bool:
        """Whether an animal is named before it, and nobody else."""
        named = any(self._together(cue, hit) and cue[0] <= hit[0] for cue in self._animals)
        return named and not any(self._together(cue, hit) and cue[0] < hit[1] for cue in self._humans)

    def animals_sentences(self) -> Iterator[Hit]:
        """The sentences, from first word to last, that name an animal and nobody else."""
        numbers = self._words.sentences
        peopled = {numbers[first] for first, _ in self._humans}
        for sentence in {numbers[first] for first, _ in self._animals} - peopled:
            places = [place for place, number in enumerate(numbers) if number == sentence]
            yield places[0], places[-1] + 1

    def _together(self, cue: Hit, hit: Hit) -> bool:
        return self._words.sentences[cue[0]] == self._words.sentences[hit[0]]
