"""Accepted rubrics in; proposals of reusable principles, each with the rubrics behind it, out.

Criteria of the same scenario that say nearly the same are one demand made by many clinicians. Each such cluster becomes
a proposal, worded as its most central member; its dimension is the one in which its questions differ most from the
rest. A person rewords, completes and approves; nothing reaches the store by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from principles_store.schema import LEVELS, Dimension
from training.preferences import pages

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
# From this cosine on two criteria make the same demand. Set by hand, fitted to nothing; see docs/preferences.md.
NEAR: Final = 0.72
_BLOCK: Final = 2048
_SHOWN: Final = 12
_HEAD = """\
# Principles proposed from accepted rubrics. For each one to take over: complete id, title, statement, rationale,
# applies_when, criteria and evidence, and set approve: yes.
# Then: clinalign principles approve THIS_FILE --author "Your name"
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """One criterion of an accepted rubric: what was asked, by whom, of a question of which scenario."""

    example: str
    author: str
    criterion: str
    must: bool
    weight: int
    scenario: Mapping[Dimension, str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cluster: `members` most central first; `opposed` counts demands of the other polarity that say the same."""

    members: tuple[Demand, ...]
    dimension: Dimension
    level: str
    opposed: int

    @property
    def weight(self) -> int:
        """The median of its members' weights."""
        return int(np.median([member.weight for member in self.members]))

    @property
    def examples(self) -> int:
        """Distinct examples behind it."""
        return len({member.example for member in self.members})


def distil(demands: Sequence[Demand], encode: Encode, *, support: int = 3, near: float = NEAR) -> tuple[Proposal, ...]:
    """Proposals that at least `support` examples stand behind, best supported first."""
    if not demands:
        return ()
    vectors = encode([demand.criterion for demand in demands])
    usual = {d: _shares([demand.scenario[d] for demand in demands], LEVELS[d]) for d in Dimension}
    found: list[Proposal] = []
    for rows in _by_polarity_and_urgency(demands):
        for members in clusters(vectors[rows], near=near):
            chosen = [rows[at] for at in members]
            if len({demands[at].example for at in chosen}) >= support:
                found.append(_proposal(chosen, demands, vectors, usual, near))
    return tuple(sorted(found, key=lambda p: (-p.examples, -p.weight)))


def clusters(vectors: NDArray[np.float32], *, near: float) -> list[list[int]]:
    """Stars: the row with most neighbours that are still free takes them all, until none is left.

    [rows, dimension] in, row numbers out, most central first. Every member is near its centre, which chains of nearness
    would not promise. Work grows with the square of the rows, in blocks.
    """
    neighbours = [
        np.flatnonzero(row >= near)
        for start in range(0, len(vectors), _BLOCK)
        for row in vectors[start : start + _BLOCK] @ vectors.T
    ]
    free = np.ones(len(vectors), dtype=bool)
    found = []
    for centre in sorted(range(len(vectors)), key=lambda at: -len(neighbours[at])):
        if not free[centre]:
            continue
        mine = neighbours[centre][free[neighbours[centre]]]
        mine = mine if centre in mine else np.append(mine, centre)
        order = mine[np.argsort(-(vectors[mine] @ vectors[centre]), kind="stable")]
        free[mine] = False
        found.append([int(centre), *(int(at) for at in order if at != centre)])
    return found


def _by_polarity_and_urgency(demands: Sequence[Demand]) -> list[list[int]]:
    """Row numbers within which clusters are sought: what is urged in danger is not what is urged on a quiet day."""
    grouped: defaultdict[tuple[bool, str], list[int]] = defaultdict(list)
    for at, demand in enumerate(demands):
        grouped[demand.must, demand.scenario[Dimension.URGENCY]].append(at)
    return [grouped[key] for key in sorted(grouped)]


def _proposal(
    chosen: Sequence[int],
    demands: Sequence[Demand],
    vectors: NDArray[np.float32],
    usual: Mapping[Dimension, Mapping[str, float]],
    near: float,
) -> Proposal:
    members = tuple(demands[at] for at in chosen)
    like = np.flatnonzero(vectors @ vectors[chosen[0]] >= near)
    opposed = sum(demands[at].must is not members[0].must for at in like.tolist())
    lifts = {}
    for dimension in Dimension:
        shares = _shares([member.scenario[dimension] for member in members], LEVELS[dimension])
        level = max(shares, key=lambda name: (shares[name], name))
        lifts[dimension, level] = shares[level] - usual[dimension][level]
    dimension, level = max(lifts, key=lambda key: (lifts[key], key))
    return Proposal(members, dimension, level, opposed)


def _shares(labels: Sequence[str], levels: Sequence[str]) -> dict[str, float]:
    counted = Counter(labels)
    return {level: counted[level] / len(labels) for level in levels}


def page(proposals: Sequence[Proposal]) -> str:
    """The page for the person who approves."""
    return _HEAD + pages.dumped([_shown(p) for p in proposals])


def _shown(proposal: Proposal) -> dict[str, Any]:
    first = proposal.members[0]
    return {
        "approve": False,
        "behind": {
            "examples": proposal.examples,
            "authors": len({member.author for member in proposal.members}),
            "opposed": proposal.opposed,
            "rubrics": [f"{m.example}: {m.criterion}" for m in proposal.members[:_SHOWN]],
        },
        "principle": {
            "id": f"{proposal.dimension.value}.{proposal.level}.name-it",
            "title": "",
            "statement": "",
            "rationale": "",
            "applies_when": "",
            "criteria": [
                {
                    "id": "name-it",
                    "text": first.criterion,
                    "weight": proposal.weight,
                    "polarity": "must" if first.must else "must_not",
                }
            ],
            "evidence": [],
            "version": "1.0.0",
            "review_status": "not_clinician_reviewed",
        },
    }
