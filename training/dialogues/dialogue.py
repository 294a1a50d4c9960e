"""One training dialogue: a pure function of seed, split and number, so that a run can stop and go on anywhere."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from service.domain.answer import Candidate
from service.domain.conversation import Message
from service.prompts.base import base
from training.dialogues import acts, branches, drafts, duties
from training.dialogues.branches import Branch
from training.dialogues.drafts import Writer
from training.dialogues.library import Exemplar, Library, Principle
from training.dialogues.scenes import Scene, scene
from training.dialogues.words import Split, Words

# One query in this many of each principle is kept for evaluation.
_QUERIES_KEPT = 4
# Verdicts asked of each draft.
_VERDICTS = 5
# What a checkpoint may not lose, and which few of all principles want.
_GRAVE = frozenset({"task_type.boundary", "urgency.emergent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A draft as the judge reads it, with what is asked of it. `learn` says whether its words are worth learning.

    `body` is the text without the duty's words.
    """

    text: str
    body: str
    learn: bool
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """Who asks what, the principles that guide the answer, the one it was asked about, and the duty's words."""

    scene: Scene
    guide: tuple[Principle, ...]
    topic: Principle
    duty: str

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What every stage's prompt starts with."""
        statements = [p.statement for p in self.guide]
        return base(
            self.scene.conversation,
            principles=statements,
            audience=self.scene.audience,
            duty=self.duty,
            own_language=self.scene.own_language,
        )


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A setting, and the drafts that answer it."""

    setting: Setting
    answers: tuple[Judged, ...]


@dataclass(frozen=True)
class Source:
    """Where dialogues come from. `principles` may be narrowed to some of the library's for evaluation."""

    library: Library
    queries: dict[str, tuple[str, ...]]
    seed: int
    split: Split
    principles: tuple[Principle, ...]

    @cached_property
    def grave(self) -> "Source":
        """The same, of refusals and emergencies alone."""
        return replace(self, principles=tuple(p for p in self.principles if p.level in _GRAVE))

    def dialogue(self, number: int) -> Dialogue:
        """Dialogue `number`."""
        rng = random.Random(f"{self.seed}/{self.split}/{number}")
        words = Words(rng, self.split)
        topic = rng.choice(self.principles)
        guide = _guide(words, topic, self)
        asked = scene(words, topic, queries=self._queries(topic))
        if asked.fixed:
            whole = Judged(text=asked.fixed, body=asked.fixed, learn=True)
            return Dialogue(Setting(asked, guide, topic, ""), (whole,))
        setting = Setting(asked, guide, topic, _duty(rng, topic, asked))
        writer = Writer(rng, asked)
        strangers = rng.sample(self.library.trained, 3)
        rubric = tuple(dict.fromkeys(e for p in (*guide, *strangers) for e in p.exemplars))
        return Dialogue(setting, (*_good(writer, setting, rubric), *_poor(writer, setting, rubric)))

    def scene(self, number: int) -> Scene:
        """Who asks what in dialogue `number`, of a count apart from the others."""
        rng = random.Random(f"{self.seed}/{self.split}/scene/{number}")
        topic = rng.choice(self.principles)
        return scene(Words(rng, self.split), topic, queries=self._queries(topic))

    def _queries(self, topic: Principle) -> Sequence[str]:
        texts = self.queries.get(topic.id, ())
        held_out = self.split is Split.HELD_OUT
        return [text for at, text in enumerate(texts) if (at % _QUERIES_KEPT == _QUERIES_KEPT - 1) is held_out]


def _guide(words: Words, topic: Principle, source: Source) -> tuple[Principle, ...]:
    """The topic, what always applies, neighbours of its level, strangers, and some that were made up."""
    rng = words.rng
    pool = [p for p in source.library.trained if p is not topic and not p.always_on]
    always = [p for p in source.library.trained if p.always_on and p is not topic] if rng.random() < 0.9 else []
    near = [p for p in pool if p.level == topic.level]
    room = rng.choice((0, 1, 2, 3, 4, 5, 6))
    most = room if not _is_urgent(topic) else rng.choice((0, 0, 1))
    pool = [p for p in pool if not _is_urgent(p)]
    others = rng.sample(near, min(len(near), rng.randint(0, most)))
    others += rng.sample([p for p in pool if p not in others], max(0, room - len(others)))
    others += acts.sprinkle(words, rng)
    rng.shuffle(others)
    # As served: what a red flag brings, what always applies, then the nearest. Now and then in any order.
    found = [topic, *always, *others] if topic.red_flag else [*always, topic, *others]
    if rng.random() < 0.2:
        rng.shuffle(found)
    return tuple(found[:10])


def _is_urgent(principle: Principle) -> bool:
    """Whether its advice would be out of place in an answer to a calm question."""
    return principle.level in {"urgency.emergent", "urgency.urgent"}


def _duty(rng: random.Random, topic: Principle, asked: Scene) -> str:
    share = 0.65 if topic.red_flag else 0.06
    return duties.duty(rng, asked.audience) if rng.random() < share else ""


def _good(writer: Writer, setting: Setting, rubric: Sequence[Exemplar]) -> tuple[Judged, ...]:
    """A draft to learn, and the same with the duty's words before it, as the judge reads it."""
    rng, duty = writer.rng, setting.duty
    body = (draft := drafts.good(writer, setting.guide)).body
    asked = branches.verdicts(rng, draft, rubric, duty=bool(duty), count=_VERDICTS)
    if not duty:
        return (Judged(text=body, body=body, learn=True, branches=asked),)
    # The model writes only the body; code puts the duty's words before it.
    learnt = Judged(text=body, body=body, learn=True)
    judged = Judged(text=Candidate(body, duty).text, body=body, learn=False, branches=asked)
    return (learnt, judged) if rng.random() < 0.5 else (learnt,)


def _poor(writer: Writer, setting: Setting, rubric: Sequence[Exemplar]) -> tuple[Judged, ...]:
    """A draft to judge and mend, never to learn."""
    rng, duty = writer.rng, setting.duty
    draft = drafts.poor(writer, setting.guide, duty=bool(duty))
    asked = branches.verdicts(rng, draft, rubric, duty=bool(duty), count=_VERDICTS)
    guided = [e for e in rubric if any(e in p.exemplars for p in setting.guide)]
    task = branches.mending(writer, draft, guided, duty=bool(duty))
    mended = _mended(rng, task) if task else ()
    text = Candidate(draft.body, duty).text
    return (Judged(text=text, body=draft.body, learn=False, branches=(*asked, *mended)),)


def _mended(rng: random.Random, task: branches.Mending) -> tuple[Branch, ...]:
    """Edits mostly, a rewrite now and then: copying the whole text also teaches copying."""
    edit = branches.edit_branch(task) if rng.random() < 0.9 else None
    wanted = edit is None or rng.random() < 0.3
    return (*((edit,) if edit else ()), *((branches.rewrite_branch(task),) if wanted else ()))
