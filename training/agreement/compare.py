"""An engine's replies held against transformers': texts, forced tokens and verdicts' probabilities in, figures out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.domain.completion import TokenProbability
from service.prompts import verdict
from training.agreement.asks import Ask, Kind
from training.agreement.engines import Said, Served
from training.intervals import Share, share

# Of the tokens of transformers' replies, those that the engine would have said too.
ENOUGH: Final = 0.995


@dataclass(frozen=True, slots=True)
class Reference:
    """What transformers said to one ask."""

    prompt_ids: tuple[int, ...]
    reply_ids: tuple[int, ...]
    said: Said

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Reference":
        """Reads a row of `training.agreement.reference`."""
        first = tuple(TokenProbability(token, min(1.0, probability)) for token, probability in row["first"])
        return cls(tuple(row["prompt_ids"]), tuple(row["reply_ids"]), Said(row["text"], first))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one engine agrees: whole texts by kind, tokens, and the largest difference of a verdict's probability."""

    engine: str
    texts: dict[Kind, Share]
    tokens: Share
    verdict_difference: float

    @property
    def holds(self) -> bool:
        """Every text is the same, or of the forced tokens enough are."""
        if not self.tokens.count:
            return False
        return all(s.hits == s.count for s in self.texts.values()) or self.tokens.value >= ENOUGH

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "engine": self.engine,
            "agrees": self.holds,
            "texts": {kind.value: found.to_json() for kind, found in self.texts.items()},
            "forced_tokens": self.tokens.to_json(),
            "largest_difference_of_a_verdict": round(self.verdict_difference, 6),
        }


async def compare(engine: Served, asked: Sequence[Ask], references: Sequence[Reference]) -> Agreement:
    """Asks the engine everything that transformers was asked.

    Raises:
        EngineSaid: the engine refused something.

    """
    same: dict[Kind, list[bool]] = {kind: [] for kind in dict.fromkeys(ask.kind for ask in asked)}
    tokens: list[bool] = []
    furthest = 0.0
    for ask, reference in zip(asked, references, strict=True):
        said = await engine.reply(ask)
        same[ask.kind].append(said.text == reference.said.text)
        tokens += await engine.forced(reference.prompt_ids, reference.reply_ids)
        if ask.kind is Kind.VERDICT:
            furthest = max(furthest, _apart(said, reference.said))
    return Agreement(engine.name, {kind: share(found) for kind, found in same.items()}, share(tokens), furthest)


def _apart(one: Said, other: Said) -> float:
    """Between two probabilities that the thing is there; 1 where only one of them could be read."""
    first, second = (verdict.read(said.first).probability for said in (one, other))
    if first is None or second is None:
        return float(first is not second)
    return abs(first - second)
