"""How long every step but the model's takes, at the paper's size: `python -m training.preferences.bench`.

Texts are the shipped principles' own, put together at random to the length of real ones: a question of some 35 words,
answers of some 170, criteria of some 17. Also how many clusters the shipped criteria make, written to differ.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from principles_store.loading import load_principles, load_queries
from principles_store.paths import SHIPPED_QUERIES, Places
from principles_store.schema import Principle
from principles_store.store import PrinciplesStore
from service.domain.conversation import Message, Role
from training.journal import Journal
from training.preferences import pages, review
from training.preferences.demands import Scenario, demands_of, encoding
from training.preferences.distil import NEAR, clusters, distil, page
from training.preferences.drafting import Item
from training.preferences.examples import Example
from training.preferences.questions import keep, questions

_EXAMPLES: Final = 7034
_ITEMS: Final = 6
_NEARS: Final = (0.62, NEAR, 0.82)


def main() -> None:
    """One line of JSON: sizes, and seconds of this process's CPU by step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=_EXAMPLES)
    count = parser.parse_args().examples
    places = Places.from_environment()
    store = PrinciplesStore.open(places.principles, places.encoder, places.index, precision=places.precision)
    principles = load_principles(places.principles)
    asked = [query.text for query in load_queries(SHIPPED_QUERIES)]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            made_up(principles, asked, count),
            Path(folder),
            lambda text: store.consult(text, limit=1).scenario.labels,
            store.encoder.encode_one,
        )
    print(json.dumps({**found, "clusters_of_shipped_criteria": _shipped(principles, store.encoder.encode)}))


def made_up(principles: Sequence[Principle], asked: Sequence[str], count: int) -> list[tuple[Example, list[Item]]]:
    """Examples and drafted items, the same each time."""
    rng = random.Random(2)
    said = [f"{principle.statement} {principle.rationale}" for principle in principles]
    criteria = [criterion for principle in principles for criterion in principle.criteria]
    rows = []
    for at in range(count):
        question, preferred, other = (" ".join(rng.sample(texts, k)) for texts, k in ((asked, 2), (said, 4), (said, 4)))
        example = Example(f"e{at}", (Message(Role.USER, question),), preferred, other, "Dr A", "It is safer.")
        items = []
        for criterion in rng.sample(criteria, _ITEMS):
            about = " ".join(rng.choice(asked).split()[:8])
            items.append(Item(f"{criterion.text} Asked: {about}", criterion.polarity.value, criterion.weight))
        rows.append((example, items))
    return rows


def measure(
    rows: Sequence[tuple[Example, Sequence[Item]]],
    folder: Path,
    scenario_of: Callable[[str], Scenario],
    encode_one: Callable[[str], NDArray[np.float32]],
) -> dict[str, Any]:
    """Takes the examples through every step, in `folder`."""
    seconds: dict[str, float] = {}
    with Journal(folder / "drafts.jsonl") as drafts, Journal(folder / "accepted.jsonl") as accepted:
        for example, items in rows:
            drafts.append(example.id, {"items": [item.as_dict() for item in items]})
        with _timed(seconds, "questions_kept"):
            keep(folder, [example for example, _ in rows])
        with _timed(seconds, "page_written"):
            review.write(rows, folder / "review.yaml")
        with _timed(seconds, "page_read"):
            reviewed = review.read(folder / "review.yaml")
        with _timed(seconds, "accepted"):
            review.accept(reviewed, drafts, accepted, author="Dr B")
        with _timed(seconds, "scenarios"):
            asked = questions(folder, accepted.values())
            demands = demands_of(accepted.values(), asked, scenario_of)
    with _timed(seconds, "encoded"):
        vectors = encoding(encode_one)([demand.criterion for demand in demands])
    with _timed(seconds, "clustered"):
        proposals = distil(demands, lambda _: vectors)
    with _timed(seconds, "proposals_written"):
        pages.write(folder / "proposals.yaml", page(proposals))
    sizes = {"examples": len(rows), "demands": len(demands), "proposals": len(proposals)}
    return {**sizes, "cpu_seconds": {**seconds, "all": round(sum(seconds.values()), 1)}}


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.process_time()  # not the clock: what else the machine does is not this step's
    yield
    seconds[step] = round(time.process_time() - began, 1)
    print(f"{step}: {seconds[step]} s", file=sys.stderr, flush=True)


def _shipped(
    principles: Sequence[Principle], encode: Callable[[Sequence[str]], NDArray[np.float32]]
) -> Mapping[str, Any]:
    """Of the shipped criteria, how many clusters of one polarity each threshold makes."""
    by_polarity: dict[str, list[str]] = {}
    for principle in principles:
        for criterion in principle.criteria:
            by_polarity.setdefault(criterion.polarity, []).append(criterion.text)
    vectors = [encode(texts) for texts in by_polarity.values()]
    made = {near: sum(len(clusters(rows, near=near)) for rows in vectors) for near in _NEARS}
    return {"criteria": sum(map(len, vectors)), **{str(near): count for near, count in made.items()}}


if __name__ == "__main__":
    main()
