"""How far two readers of the same drafts agree: accepted reviews in; kappa over drafted items, with counts, out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from training.preferences.drafting import items_of
from training.preferences.review import numbered, refined


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `items` drafted items that two readers saw, the share on which both kept or both dropped, and Cohen's kappa.

    An item is kept in whatever words, weight and polarity; what a reader added is not counted, for the other saw none.
    `kappa` is None where chance alone would agree always. `weight_gap` is the mean difference of the weights both gave
    to an item that both kept; None where there was none.
    """

    examples: int
    items: int
    share: float | None
    kappa: float | None
    weight_gap: float | None


def agreement(accepted: Iterable[Mapping[str, Any]], drafts: Mapping[str, Mapping[str, Any]]) -> Agreement:
    """Over every pair of readers of every example that two read or more."""
    by_example: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for review in accepted:
        by_example[review["id"]].append(review)
    pairs: list[tuple[bool, bool]] = []
    gaps: list[int] = []
    read_twice = 0
    for example, reviews in by_example.items():
        drafted = items_of(drafts[example]["items"])
        kept = [{i.number: i.weight for i in numbered(drafted, refined(review["items"]))} for review in reviews]
        read_twice += len(kept) > 1
        for one, other in combinations(kept, 2):
            for at in range(1, len(drafted) + 1):
                pairs.append((at in one, at in other))
                if at in one and at in other:
                    gaps.append(abs(one[at] - other[at]))
    return Agreement(
        examples=read_twice,
        items=len(pairs),
        share=sum(a is b for a, b in pairs) / len(pairs) if pairs else None,
        kappa=_kappa(pairs),
        weight_gap=sum(gaps) / len(gaps) if gaps else None,
    )


def _kappa(pairs: list[tuple[bool, bool]]) -> float | None:
    if not pairs:
        return None
    observed = sum(a is b for a, b in pairs) / len(pairs)
    first, second = (sum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    return (observed - chance) / (1 - chance) if chance < 1 else None
