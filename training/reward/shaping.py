"""What is not the rubric's business: an answer's length against what was allowed, and whether it is well formed."""

from dataclasses import dataclass

from service.prompts.control import neutralise
from service.prompts.sentences import split


@dataclass(frozen=True, slots=True)
class Length:
    """Free up to `allowed` words; beyond, `slope` is lost for each `allowed` words more, and `most` at the utmost.

    Rubrics reward saying more; without a price on length a policy learns to say everything.
    """

    allowed: int = 250
    slope: float = 0.5
    most: float = 0.5

    def penalty(self, answer: str) -> float:
        """In [0, most]."""
        over = max(0, len(answer.split()) - self.allowed)
        return min(self.most, self.slope * over / self.allowed)


def is_well_formed(answer: str) -> bool:
    """Whether it says something, ends as a sentence or a list does, holds no control token and repeats no sentence."""
    text = answer.strip()
    if not text or neutralise(text) != text or text[-1] not in ".!?)]\"'*:`\u3002\uff01\uff1f\u061f\u0964":
        return False
    said = [sentence.strip() for sentence in split(text)]
    return len(said) == len(set(said))


def form(answer: str) -> float:
    """The format reward, apart from the rubric's: 1 or 0."""
    return float(is_well_formed(answer))
