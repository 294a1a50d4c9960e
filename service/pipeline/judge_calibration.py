"""What a model's Yes is worth: threshold and temperature fitted to people's labels, saved by checkpoint, read back."""

import math
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from service.domain.errors import SettingsError
from service.domain.verdict import Presence
from service.pipeline.ports import Abilities
from service.prompts.digest import prompts_digest

FORMAT: Final = 1
_LEAST: Final = 1e-6
_MOST: Final = 500.0  # log-odds beyond which a float overflows


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Calibration(_Record):
    """Fitted to `labels` labels of `questions` questions, for one checkpoint and the words that it was asked in.

    A probability is tempered: its log-odds are divided by `temperature`, and `shift` is taken off, since models that
    judge lean to Yes. Above `threshold` a thing then counts as present.
    """

    version: str = Field(min_length=1, max_length=64)
    checkpoint: str = Field(min_length=1)
    prompts: str = Field(min_length=1)
    temperature: float = Field(gt=0.0)
    shift: float = 0.0
    threshold: float = Field(gt=0.0, lt=1.0)
    labels: PositiveInt
    questions: PositiveInt

    def tempered(self, probability: float) -> float:
        """In [0, 1]."""
        held = min(max(probability, _LEAST), 1.0 - _LEAST)
        odds = math.log(held / (1.0 - held)) / self.temperature - self.shift
        return 1.0 / (1.0 + math.exp(-max(min(odds, _MOST), -_MOST)))

    def presence(self, found: Presence) -> Presence:
        """The verdict by the fitted threshold; what came without a probability stays as it is."""
        if found.probability is None:
            return found
        probability = self.tempered(found.probability)
        present = None if probability == self.threshold else probability > self.threshold
        return Presence(present=present, probability=probability)


class Calibrations(_Record):
    """The calibrations of one file, of one checkpoint each."""

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    calibrations: tuple[Calibration, ...] = ()

    def of(self, abilities: Abilities) -> Calibration | None:
        """The one that was fitted for this very checkpoint and our words as they are now; None: none was."""
        wanted = (checkpoint_of(abilities), prompts_digest())
        return next((each for each in self.calibrations if (each.checkpoint, each.prompts) == wanted), None)

    def with_one(self, fitted: Calibration) -> "Calibrations":
        """With this one in the place of what stood for its checkpoint."""
        others = [each for each in self.calibrations if each.checkpoint != fitted.checkpoint]
        return Calibrations(calibrations=tuple(sorted([*others, fitted], key=lambda each: each.checkpoint)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            SettingsError: it is missing, or holds something else.

        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: no judge's calibration is there") from error
        except ValidationError as error:
            raise SettingsError(f"{path}: is not a file that `clinalign calibrate` wrote") from error


UNFITTED: Final = Calibrations()


def checkpoint_of(abilities: Abilities) -> str:
    """Its digest; where a server does not tell it, the model's name, which is less: weights may change under it."""
    return abilities.checkpoint_digest or f"model:{abilities.model}"
