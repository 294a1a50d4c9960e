"""The words of a red-flag duty, as the service's own advice file says them and in wordings of ours."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from service.domain.enquiry import Audience
from training.dialogues import templates

_ADVICE = Path(__file__).parents[2] / "service/pipeline/screen/advice/en.yaml"


@cache
def _advice() -> dict[str, Any]:
    return dict(yaml.safe_load(_ADVICE.read_text(encoding="utf-8")))


def duty(rng: random.Random, audience: Audience) -> str:
    """A duty for this reader."""
    if rng.random() < 0.4:
        return _ours(rng)
    advice = _advice()
    names = rng.sample(sorted(advice["families"]), rng.choice((1, 1, 1, 2)))
    families = [advice["families"][name] for name in names]
    if audience is Audience.CLINICIAN:
        listed = ", ".join(family.get("clinical", "an emergency") for family in families)
        text = " ".join(
            (advice["frames"]["clinician"].format(names=listed), *(family.get("prompt", "") for family in families))
        )
    else:
        listed = advice["frames"]["or"].join(
            family.get("possible", advice["general"]["possible"]) for family in families
        )
        action = advice["actions"][families[0]["action"]]
        pieces = [
            advice["frames"]["possible"].format(names=listed),
            action,
            *(family.get("meanwhile", "") for family in families),
        ]
        if rng.random() < 0.5:
            pieces[0], pieces[1] = pieces[1], pieces[0]
        text = " ".join(piece for piece in pieces if piece)
    return text.strip().format(**_numbers(rng, advice))


def _ours(rng: random.Random) -> str:
    parts = rng.choice(templates.DUTIES)
    return " ".join(part for part in parts if part).format(number=rng.choice(templates.NUMBERS))


def _numbers(rng: random.Random, advice: dict[str, Any]) -> dict[str, str]:
    """The general words, or a number of some region."""
    general = {name: advice[name] for name in ("emergency", "crisis", "poison", "abuse")}
    if rng.random() < 0.5:
        general["emergency"] = rng.choice(templates.NUMBERS)
    return general
