"""Groups of every source in; arrays of token ids out: what all folds may see, and what each fold holds out."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from service.entailment.packing import Row, pack
from service.judge_evaluation.fitting import folds_of
from training.judge import acts, asked, facts, real, relations, replies
from training.judge.composed import composed
from training.judge.config import JudgeRun
from training.judge.group import Group, Source
from training.judge.orders import ordered
from training.judge.windowed import windowed

SHARED: Final = -1
Draw = Callable[[np.random.Generator, int], NDArray[np.int64]]
_JUDGED: Final = 40  # groups of acts of each fold
_DIALOGUES: Final = 60
_SPECIAL_TOKENS: Final = 2
_OTHERS: Final = 1000  # seeds apart from those that are trained on


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows end to end, each with its claims' labels, its source and the fold that holds it out."""

    ids: NDArray[np.uint16]
    segments: NDArray[np.int8]
    starts: NDArray[np.int64]
    told: NDArray[np.float16]
    claims: NDArray[np.int64]
    origins: NDArray[np.str_]
    folds: NDArray[np.int8]

    @classmethod
    def of(cls, rows: Sequence[tuple[Row, Group, int]]) -> "Packed":
        """Of rows, their groups and folds."""
        return cls(
            np.concatenate([row.ids for row, _, _ in rows]).astype(np.uint16),
            np.concatenate([row.segments for row, _, _ in rows]).astype(np.int8),
            np.cumsum([0, *(len(row.ids) for row, _, _ in rows)]),
            np.array([claim.told for _, made, _ in rows for claim in made.claims], dtype=np.float16),
            np.cumsum([0, *(len(made.claims) for _, made, _ in rows)]),
            np.array([made.origin for _, made, _ in rows]),
            np.array([fold for _, _, fold in rows], dtype=np.int8),
        )


class Packer:
    """Groups become rows."""

    def __init__(self, tokenizer: Tokenizer, config: JudgeRun) -> None:
        self._tokenizer, self._config = tokenizer, config

    def windows(self, groups: Sequence[tuple[Group, int]]) -> list[tuple[Row, Group, int]]:
        """As answers are read that are long: a row for each window of an answer."""
        most = self._config.answer_tokens - _SPECIAL_TOKENS
        parts = [(part, fold) for made, fold in groups for part in windowed(made, most=most, count=self._count)]
        return self.rows(parts)

    def rows(self, groups: Sequence[tuple[Group, int]]) -> list[tuple[Row, Group, int]]:
        """A row for each group. An answer that is too long loses its end."""
        return [(self._row(made), made, fold) for made, fold in groups]

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids) - _SPECIAL_TOKENS

    def _row(self, made: Group) -> Row:
        texts = self._tokenizer.encode_batch([made.question, made.answer, *(claim.text for claim in made.claims)])
        question, answer, *claims = (each.ids for each in texts)
        return pack(
            cut(answer, self._config.answer_tokens),
            [cut(ids, self._config.claim_tokens) for ids in claims],
            cut(question, self._config.question_tokens) if made.question.strip() else [],
        )


def cut(ids: list[int], most: int) -> list[int]:
    """The ids without what is too much, but with the closing one."""
    return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]


class Sources:
    """All sources. With `data`, also what others wrote."""

    def __init__(self, config: JudgeRun, data: Path | None, encoder: Path, kept: Path) -> None:
        self._config, self._data = config, data
        self._vectors = real.Vectors(encoder, kept)
        self._texts = asked.asked(data) if data is not None else []
        names = [text.question for text in self._texts]
        self._fold_of = dict(zip(names, folds_of(names).tolist(), strict=True))
        self._written = acts.done(acts.written(), self._vectors.of)
        self._acts = [
            acts.done([act for act in acts.exemplified() if act.fold == fold], self._vectors.of)
            for fold in range(acts.FOLDS)
        ]

    def save(self) -> None:
        """Keep the vectors, which take longest."""
        self._vectors.save()

    def shared(self) -> list[tuple[Group, int]]:
        """What every fold may be trained on."""
        makers: dict[str, Source] = {
            "relations": relations.related,
            "facts": facts.told,
            "replies": replies.replied,
            "composed": composed(replies.replied),
            "written": self._written,
            "bundled": composed(self._written),
            "invented": acts.invented,
        }
        if self._data is not None:
            texts = real.medquad(self._data, self._vectors, count=self._config.medquad, seed=self._config.seed)
            makers["medquad"] = real.quoted(texts)
        return [
            (made, SHARED)
            for name, maker in makers.items()
            for made in _drawn(maker, f"{self._config.seed}/{name}", self._config.counts[name])
        ]

    def folded(self) -> list[tuple[Group, int]]:
        """What one fold holds out: replies to K-QA's questions, their physicians' answers, our criteria, drafts."""
        found: list[tuple[Group, int]] = []
        seed, counts = self._config.seed, self._config.counts
        physicians = real.physicians(self._data, self._vectors) if self._data is not None else []
        for fold in range(acts.FOLDS):
            mine = [text for text in physicians if self._fold_of[text.focus] == fold]
            if mine:
                found += [(made, fold) for made in _drawn(real.stated(mine), f"{seed}/p/{fold}", counts["physicians"])]
            found += [(made, fold) for made in _drawn(self._acts[fold], f"{seed}/a/{fold}", counts["acts"])]
        for turn in range(counts["asked"]):
            rng = random.Random(f"{seed}/asked/{turn}")
            found += [(asked.answered([text])(rng), self._fold_of[text.question]) for text in self._texts]
        found += [each for number in range(counts["drafts"]) for each in acts.drafted(number, seed=seed)]
        return found

    def judged(self) -> list[tuple[Group, int]]:
        """What each fold is judged on: replies as they stand, and acts and drafts that no training group repeats."""
        found = [
            (Group(text.reply, text.statements, "asked", text.question), self._fold_of[text.question])
            for text in self._texts
        ]
        for fold in range(acts.FOLDS):
            made = _drawn(self._acts[fold], f"{self._config.seed}/judged/{fold}", _JUDGED)
            found += [(each, fold) for each in made]
        seed = self._config.seed + _OTHERS
        drafts = [each for number in range(_DIALOGUES) for each in acts.drafted(number, seed=seed)]
        quoted = asked.quoted(self._texts, seed=self._config.seed)
        return [*found, *drafts, *((made, self._fold_of[made.question]) for made in quoted)]


def swayed(groups: Sequence[tuple[Group, int]], *, seed: int) -> list[tuple[Group, int]]:
    """The same, some with words for whoever judges them."""
    rng = random.Random(f"{seed}/orders")
    return [(ordered(rng, made), fold) for made, fold in groups]


def drawing(training: Packed, mix: Mapping[str, float], *, without: int | None) -> Draw:
    """Rows of each source by its share, none of them held out by the fold; of what all folds may see, the rest."""
    usable = training.folds != SHARED if without is None else (training.folds != SHARED) & (training.folds != without)
    pools = {name: np.flatnonzero((training.origins == name) & usable) for name in mix}
    pools["shared"] = np.flatnonzero(training.folds == SHARED)
    known = {name: pool for name, pool in pools.items() if len(pool)}
    rest = 1.0 - sum(mix[name] for name in known if name in mix)

    def draw(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        return np.concatenate(
            [rng.choice(pool, max(1, round(count * mix.get(name, rest)))) for name, pool in known.items()]
        )

    return draw


def _drawn(maker: Source, seed: str, count: int) -> Iterator[Group]:
    """So many groups that have a claim."""
    rng = random.Random(seed)
    number = 0
    while number < count:
        made = maker(rng)
        if made.claims:
            number += 1
            yield made
