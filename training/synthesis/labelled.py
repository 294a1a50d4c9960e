"""Labelled pairs of criteria in; how many are told wrong from their words alone, and how many a model is asked, out.

    python -m training.synthesis.labelled

The pairs are our own. Those for choosing set `SAME`, `NEAR` and the turning words; nothing was set by those held out.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from principles_store.encoder import Encoder
from principles_store.paths import Places
from training.intervals import share
from training.synthesis.checks import NEAR, SAME, Compared, Encode, Relation, compare
from training.synthesis.prompt import Drafted

FILE: Final = Path(__file__).with_name("labelled_pairs.tsv")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two items and what they are to each other; `use` is `choosing` or `held_out`."""

    use: str
    relation: Relation
    items: tuple[Drafted, Drafted]


def read(path: Path = FILE) -> Iterator[Labelled]:
    """The pairs of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            one = Drafted("", row["first"], row["first_is"] == "must", 5)
            other = Drafted("", row["second"], row["second_is"] == "must", 5)
            yield Labelled(row["use"], Relation(row["relation"]), (one, other))


def measure(pairs: Sequence[Labelled], encode: Encode) -> dict[str, Any]:
    """Shares with counts and Wilson's intervals.

    `wrong_of_told`: what the words alone tell to repeat or contradict, and does not. `missed_of_apart`: of pairs that
    are neither told nor asked about, those that repeat or contradict. `asked` are a model's; its errors aren't here.
    `wrong_by_cosine_alone`: how often the cosine from `SAME` on, with the polarities, is wrong on all the pairs.
    """
    found = [(pair.relation, _told(compare(pair.items, encode))) for pair in pairs]
    alone = [(pair.relation, _by_cosine(pair, encode)) for pair in pairs]
    return {
        "pairs": len(pairs),
        "wrong_of_told": share(true is not told for true, told in found if told not in {None, Relation.FITS}).to_json(),
        "missed_of_apart": share(true is not Relation.FITS for true, told in found if told is Relation.FITS).to_json(),
        "wrong_without_being_asked": share(told not in {None, true} for true, told in found).to_json(),
        "asked": share(told is None for _, told in found).to_json(),
        "wrong_by_cosine_alone": share(true is not told for true, told in alone).to_json(),
    }


def _told(compared: Compared) -> Relation | None:
    return None if compared.open else compared.known.get((0, 1), Relation.FITS)


def _by_cosine(pair: Labelled, encode: Encode) -> Relation:
    one, other = encode([item.criterion for item in pair.items])
    if one @ other < SAME:
        return Relation.FITS
    return Relation.REPEATS if pair.items[0].must is pair.items[1].must else Relation.CONTRADICTS


def _main() -> None:
    places = Places.from_environment()
    encoder = Encoder.load(places.encoder, precision=places.precision)
    pairs = list(read())
    told = {
        use: measure([pair for pair in pairs if pair.use == use], lambda texts: encoder.encode(list(texts)))
        for use in ("choosing", "held_out")
    }
    print(json.dumps({"same": SAME, "near": NEAR, **told}, indent=2))


if __name__ == "__main__":
    _main()
