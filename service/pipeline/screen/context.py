"""Context: whether words that name a danger are denied, over, supposed, asked about in general, or not a person's.

After the idea of the ConText algorithm: cues near the words, each with a direction, a reach, and what ends it.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from service.pipeline.screen.experiencer import Experiencer
from service.pipeline.screen.phrases import Hit
from service.pipeline.screen.sources import CueKind, Dismissal
from service.pipeline.screen.stretches import apart, inside
from service.pipeline.screen.text import Words

_NEGATION_REACH = 6  # words between "no" and what is denied
_LIST_REACH = 25  # where an "or" shows that the denial goes on over commas
_ADJACENT_REACH = 1
_AFTER_REACH = 3
_TIME_REACH = 12
_HISTORY_REACH = 5
_PRESENT_REACH = 20
_CONDITION_REACH = 25
_QUESTION_REACH = 25
_RESOLVED_REACH = 15


class Context:
    """What the cues of one language say about a conversation's words."""

    def __init__(self, words: Words, cues: Mapping[CueKind, Sequence[Hit]]) -> None:
        self._words = words
        no_denial = apart(cues.get(CueKind.NO_NEGATION, ()))
        whether = apart(cues.get(CueKind.WHETHER, ()))
        hearsay, resolved = cues.get(CueKind.HEARSAY, ()), apart(cues.get(CueKind.RESOLVED, ()))
        asked = apart([*cues.get(CueKind.EDUCATIONAL, ()), *hearsay])
        self._cues = {kind: sorted(hits) for kind, hits in cues.items()}
        for kind in (CueKind.NEGATION, CueKind.NEGATION_ADJACENT, CueKind.NEGATION_AFTER):
            self._cues[kind] = [hit for hit in self._cues.get(kind, []) if not inside(hit, no_denial)]
        self._cues[CueKind.CONDITIONAL] = [h for h in self._cues.get(CueKind.CONDITIONAL, []) if not inside(h, whether)]
        persons = [hit for hit in cues.get(CueKind.PERSONAL, ()) if not inside(hit, asked)]
        self._personal = {words.sentences[first] for first, _ in persons}
        self._peopled = {words.messages[first] for first, _ in persons}
        present = [hit for hit in cues.get(CueKind.PRESENT, ()) if not inside(hit, resolved)]
        self._going_on = {words.messages[first] for first, _ in present}
        self.experiencer = Experiencer(words, cues)

    def dismissals(self, hit: Hit) -> frozenset[Dismissal]:
        """Every reason why this hit tells of no danger; none when it stands."""
        judged = {
            Dismissal.NEGATED: self._negated,
            Dismissal.PAST: self._past,
            Dismissal.CONDITIONAL: self._conditional,
            Dismissal.EDUCATIONAL: self._educational,
            Dismissal.RESOLVED: self._resolved,
            Dismissal.ANIMAL: self.experiencer.is_animals,
        }
        return frozenset(reason for reason, judge in judged.items() if judge(hit))

    def _negated(self, hit: Hit) -> bool:
        return (
            any(self._denies(cue, hit) for cue in self._before(CueKind.NEGATION, hit, reach=_LIST_REACH))
            or any(self._near(cue, hit) for cue in self._before(CueKind.NEGATION_ADJACENT, hit, reach=_ADJACENT_REACH))
            or any(
                self._near(cue, hit) or cue[0] == hit[1]
                for cue in self._after(CueKind.NEGATION_AFTER, hit, reach=_AFTER_REACH)
            )
        )

    def _denies(self, cue: Hit, hit: Hit) -> bool:
        """Whether a denial reaches the hit: six words in its clause, or along a list that an `or` closes."""
        if self._turned(cue, hit):
            return False
        if self._words.clauses[cue[0]] == self._words.clauses[hit[0]]:
            return hit[0] - cue[1] <= _NEGATION_REACH or self._listed(cue, hit)
        return self._listed(cue, hit)

    def _listed(self, cue: Hit, hit: Hit) -> bool:
        """Whether hit and denial stand in one list: its `or` is in the hit's clause or later (`no a, b or c`)."""
        links = self._between(CueKind.LIST, cue[1], hit[1] + _LIST_REACH)
        clauses = self._words.clauses
        return any(self._same_sentence(link, hit) and clauses[link[0]] >= clauses[hit[0]] for link in links)

    def _turned(self, cue: Hit, hit: Hit) -> bool:
        return any(True for _ in self._between(CueKind.TURN, cue[1], hit[0]))

    def _near(self, cue: Hit, hit: Hit) -> bool:
        return self._words.clauses[cue[0]] == self._words.clauses[hit[0]]

    def _past(self, hit: Hit) -> bool:
        over = any(self._dates(cue, hit) for cue in self._around(CueKind.PAST, hit, reach=_TIME_REACH)) or any(
            self._near(cue, hit) and not self._turned(cue, hit)
            for cue in self._before(CueKind.HISTORY, hit, reach=_HISTORY_REACH)
        )
        return over and not self._present(hit)

    def _dates(self, cue: Hit, hit: Hit) -> bool:
        """Whether a time past belongs to the hit: in its clause, or opening the sentence (`In 2010, ...`)."""
        opens = cue[0] == 0 or self._words.sentences[cue[0] - 1] != self._words.sentences[cue[0]]
        return self._near(cue, hit) or (
            opens and cue[0] < hit[0] and self._words.clauses[hit[0]] == self._words.clauses[cue[0]] + 1
        )

    def _present(self, hit: Hit) -> bool:
        return any(True for _ in self._around(CueKind.PRESENT, hit, reach=_PRESENT_REACH))

    def _conditional(self, hit: Hit) -> bool:
        supposed = any(True for _ in self._before(CueKind.CONDITIONAL, hit, reach=_CONDITION_REACH))
        return supposed and not self._present(hit)

    def _educational(self, hit: Hit) -> bool:
        if self.experiencer.is_made_up(hit) or self._read_of(hit):
            return True
        if self._words.sentences[hit[0]] in self._personal:
            return False
        return any(True for _ in self._around(CueKind.EDUCATIONAL, hit, reach=_QUESTION_REACH))

    def _read_of(self, hit: Hit) -> bool:
        """Whether it is what the writer has read or heard, in a message that speaks of nobody."""
        heard = any(True for _ in self._before(CueKind.HEARSAY, hit, reach=_QUESTION_REACH))
        return heard and self._words.messages[hit[0]] not in self._peopled

    def _resolved(self, hit: Hit) -> bool:
        """Whether it was a while ago and then went away, and nothing in the message tells of now."""
        if self._words.messages[hit[0]] in self._going_on:
            return False
        ago = any(True for _ in self._around(CueKind.RECENT, hit, reach=_RESOLVED_REACH))
        return ago and any(True for _ in self._after(CueKind.RESOLVED, hit, reach=_RESOLVED_REACH))

    def _before(self, kind: CueKind, hit: Hit, *, reach: int) -> Iterator[Hit]:
        """Cues that begin before the hit; they may run into it (`never had | had a seizure`)."""
        cues = self._between(kind, hit[0] - reach - 8, hit[0])
        return (c for c in cues if hit[0] - reach <= c[1] <= hit[1] and self._same_sentence(c, hit))

    def _after(self, kind: CueKind, hit: Hit, *, reach: int) -> Iterator[Hit]:
        return (cue for cue in self._between(kind, hit[1], hit[1] + reach) if self._same_sentence(cue, hit))

    def _around(self, kind: CueKind, hit: Hit, *, reach: int) -> Iterator[Hit]:
        return (c for c in self._between(kind, hit[0] - reach, hit[1] + reach) if self._same_sentence(c, hit))

    def _between(self, kind: CueKind, first: int, last: int) -> Iterator[Hit]:
        """The cues of a kind whose first word lies in [first, last)."""
        cues = self._cues.get(kind, ())
        place = bisect_left(cues, (first, 0))
        while place < len(cues) and cues[place][0] < last:
            yield cues[place]
            place += 1

    def _same_sentence(self, cue: Hit, hit: Hit) -> bool:
        return self._words.sentences[cue[0]] == self._words.sentences[hit[0]]
