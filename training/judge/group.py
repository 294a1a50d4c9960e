"""What the small judge is trained on: an answer, and claims of which it is known whether the answer tells them."""

import random
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WORDINGS = Path(__file__).parent / "wordings"
MOST = 14
_LEADS = (
    "Says that ",
    "Mentions that ",
    "Tells the person that ",
    "States that ",
    "Explains that ",
    "The answer says that ",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """`told` is the share of readers who say that the answer tells it: 0 or 1 where there is no doubt."""

    text: str
    told: float


@dataclass(frozen=True, slots=True)
class Group:
    """One answer with its claims; `origin` names the source, `question` what was asked, where it is known."""

    answer: str
    claims: tuple[Claim, ...]
    origin: str
    question: str = ""


Source = Callable[[random.Random], Group]


def group(
    rng: random.Random, answer: str, told: Sequence[str], untold: Sequence[str], origin: str, question: str = ""
) -> Group:
    """At most `MOST` claims, of both kinds where there are both."""
    yes, no = (list(dict.fromkeys(text for text in texts if text.strip())) for texts in (told, untold))
    no = [text for text in no if text not in yes]
    rng.shuffle(yes)
    rng.shuffle(no)
    kept = yes[: max(MOST // 2, MOST - len(no))]
    claims = [Claim(_led(rng, text), told=1.0) for text in kept]
    claims += [Claim(_led(rng, text), told=0.0) for text in no[: MOST - len(kept)]]
    rng.shuffle(claims)
    return Group(answer, tuple(claims), origin, question)


def _led(rng: random.Random, text: str) -> str:
    """Now and then as a rubric puts it: says that ..."""
    if rng.random() > 0.08 or not text[:2].istitle() or text.split(" ", 1)[0].endswith("s"):
        return text
    return rng.choice(_LEADS) + text[:1].lower() + text[1:]


def kept_back(name: str) -> bool:
    """Whether what bears this name is never trained on, so that training can be watched on it: one in eight."""
    return zlib.crc32(name.encode()) % 8 == 0


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of a file of wordings, without comments."""
    text = (WORDINGS / name).read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# "))


@cache
def _swaps(name: str) -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    table: dict[str, list[str]] = {}
    for line in lines(name):
        words = [word.strip() for word in line.split(",")]
        for word in words:
            table.setdefault(word.lower(), []).extend(other for other in words if other != word)
    longest = sorted(table, key=len, reverse=True)
    pattern = re.compile(r"\b(" + "|".join(re.escape(word) for word in longest) + r")\b", re.IGNORECASE)
    return pattern, {word: tuple(others) for word, others in table.items()}


def reword(rng: random.Random, text: str, *, share: float = 0.35) -> str:
    """The same in other words, here and there."""
    pattern, table = _swaps("same.txt")

    def other(found: re.Match[str]) -> str:
        return _cased(found[0], rng.choice(table[found[0].lower()])) if rng.random() < share else found[0]

    return pattern.sub(other, text)


def spoil(rng: random.Random, text: str) -> str:
    """The text with one word or number changed so that it says something else; empty where nothing can be changed."""
    pattern, table = _swaps("other.txt")
    found = list(pattern.finditer(text))
    numbers = list(re.finditer(r"\b\d+(?:\.\d+)?\b", text))
    if numbers and (not found or rng.random() < 0.4):
        spot = rng.choice(numbers)
        return text[: spot.start()] + _number(rng, spot[0]) + text[spot.end() :]
    if not found:
        return ""
    spot = rng.choice(found)
    return text[: spot.start()] + _cased(spot[0], rng.choice(table[spot[0].lower()])) + text[spot.end() :]


def _number(rng: random.Random, number: str) -> str:
    factor = rng.choice((0.25, 0.5, 2, 3, 4, 10))
    value = float(number) * factor
    text = f"{value:g}" if "." in number else str(max(1, round(value)))
    return text if text != number else f"{number}0"


def _cased(model: str, word: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def asides(rng: random.Random, sentences: Sequence[str], *, most: int = 3) -> list[str]:
    """The sentences with some more that tell nothing."""
    mixed = list(sentences)
    for aside in rng.sample(lines("asides.txt"), rng.randint(0, most)):
        mixed.insert(rng.choice((0, len(mixed), rng.randint(0, len(mixed)))), aside)
    return mixed
