"""Writer: the words around dangers come in; whether a clinician writes about somebody else's goes out.

Whoever says to be a clinician and tells of a danger of their own, or of their family's, is a person in danger.
"""

from bisect import bisect_left
from collections.abc import Sequence

from service.domain.assessment import Span
from service.domain.enquiry import Audience
from service.pipeline.screen.phrases import Hit
from service.pipeline.screen.rules import Survey
from service.pipeline.screen.sources import CueKind
from service.pipeline.screen.stretches import apart, inside
from service.pipeline.screen.text import Words

_LANGUAGE = "en"  # the one whose cues say so


def writer_of(survey: Survey, dangers: Sequence[Hit]) -> Audience | None:
    """A clinician, where one says so and no danger is their own; None where nobody can tell."""
    roles = _roles(survey)
    if not roles or not dangers:
        return None
    signs = _Signs(survey, roles)
    return Audience.CLINICIAN if all(signs.of_a_patient(sentence) for sentence in _sentences(survey, dangers)) else None


def hit_of(span: Span, words: Words) -> Hit:
    """The words that lie in a span."""
    places = [
        place
        for place in range(bisect_left(words.messages, span.message), len(words))
        if words.messages[place] == span.message and span.start <= words.starts[place] < span.end
    ]
    return (places[0], places[-1] + 1) if places else (0, 0)


def _roles(survey: Survey) -> list[Hit]:
    none = apart(survey.cues(_LANGUAGE, CueKind.NO_CLINICIAN))
    return apart([hit for hit in survey.cues(_LANGUAGE, CueKind.CLINICIAN) if not inside(hit, none)])


def _sentences(survey: Survey, dangers: Sequence[Hit]) -> set[tuple[int, int]]:
    """The sentences of the dangers, each with its message."""
    words, ends = survey.words, [place for first, last in dangers for place in (first, last - 1)]
    return {(words.messages[place], words.sentences[place]) for place in ends}


class _Signs:
    """Which sentences tell of a patient, and which of the writer or their family."""

    def __init__(self, survey: Survey, roles: list[Hit]) -> None:
        words = survey.words

        def outside(kind: CueKind, stretches: list[Hit]) -> list[Hit]:
            return [hit for hit in survey.cues(_LANGUAGE, kind) if not inside(hit, stretches)]

        def sentences(hits: Sequence[Hit]) -> set[int]:
            return {words.sentences[first] for first, _ in hits}

        patients, practice = outside(CueKind.PATIENT, roles), survey.cues(_LANGUAGE, CueKind.PRACTICE)
        self._own = sentences(outside(CueKind.OWN, apart([*roles, *patients, *practice])))
        self._roles = sentences(roles)
        # `54M` beside the role may be the writer; with a chart's words beside it, it is a patient.
        cases = sentences(outside(CueKind.CASE, roles))
        charted = cases & sentences(survey.cues(_LANGUAGE, CueKind.CHART))
        self._patients = sentences([*patients, *practice]) | charted
        told = self._patients | (cases - self._roles)
        self._told = {
            message for message, sentence in zip(words.messages, words.sentences, strict=True) if sentence in told
        }

    def of_a_patient(self, place: tuple[int, int]) -> bool:
        """Whether the sentence of a message tells of a patient: where the role itself stands, by its own words."""
        message, sentence = place
        if sentence in self._own or message not in self._told:
            return False
        return sentence not in self._roles or sentence in self._patients
