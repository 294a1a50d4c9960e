"""What the store holds: principles with their criteria and evidence, and the labelled queries they are found by."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Dimension(StrEnum):
    """The four sides from which a principle looks at an answer."""

    URGENCY = "urgency"
    UNCERTAINTY = "uncertainty"
    EXPERTISE = "expertise"
    TASK_TYPE = "task_type"


LEVELS: Final[dict[Dimension, tuple[str, ...]]] = {
    Dimension.URGENCY: ("emergent", "urgent", "routine"),
    Dimension.UNCERTAINTY: ("none", "reducible", "irreducible"),
    Dimension.EXPERTISE: ("lay", "professional"),
    Dimension.TASK_TYPE: (
        "triage",
        "treatment",
        "interpretation",
        "education",
        "support",
        "documentation",
        "translation",
        "boundary",
    ),
}


class Polarity(StrEnum):
    """Whether the thing a criterion names must be in the answer, or must not."""

    MUST = "must"
    MUST_NOT = "must_not"


class RedFlagFamily(StrEnum):
    """The dangers that bring in their principles, however near the words are."""

    CARDIAC = "cardiac"
    STROKE = "stroke"
    BREATHING = "breathing"
    ANAPHYLAXIS = "anaphylaxis"
    SEPSIS = "sepsis"
    BLEEDING = "bleeding"
    HEAD_INJURY = "head_injury"
    OVERDOSE = "overdose"
    POISONING = "poisoning"
    SELF_HARM = "self_harm"
    PREGNANCY = "pregnancy"
    NEWBORN = "newborn"
    MENINGITIS = "meningitis"
    EYE = "eye"
    TORSION = "torsion"
    DKA = "dka"
    HYPOGLYCAEMIA = "hypoglycaemia"
    ABUSE = "abuse"
    SEIZURE = "seizure"
    CAUDA_EQUINA = "cauda_equina"
    THUNDERCLAP = "thunderclap"
    ABDOMEN = "abdomen"
    HEAT_COLD = "heat_cold"
    BURNS = "burns"
    CHOKING = "choking"
    COLLAPSE = "collapse"
    LIMB = "limb"
    EMERGENCY = "emergency"


# The principle for questions that are not about health: nearness to it is no sign that a question is.
OUTSIDE_HEALTH: Final = "task_type.boundary.outside-health"

_SLUG: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_ID: Final = re.compile(rf"(?P<dimension>[a-z_]+)\.(?P<level>[a-z_]+)\.{_SLUG}")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=rf"^{_SLUG}$")]
PrincipleId = Annotated[str, StringConstraints(pattern=rf"^{_ID.pattern}$", max_length=120)]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]


class Record(BaseModel):
    """Frozen, and closed: a field that the schema does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Criterion(Record):
    """One checkable thing. For `must_not` the text names the forbidden thing; `weight` is 1 to 10."""

    id: Slug
    text: Text
    weight: int = Field(ge=1, le=10, strict=True)
    polarity: Polarity


class Evidence(Record):
    """A public guideline, review or regulator's page on which a principle rests."""

    name: Text
    year: int | None = Field(default=None, ge=1900, le=2100, strict=True)
    url: Text | None = None
    source_checked: bool = Field(default=False, strict=True)


class Principle(Record):
    """What an answer should do in one kind of situation, and how to tell from its text whether it does.

    `applies_when` names the situations in the words people use: retrieval reads it.
    """

    id: PrincipleId
    title: Text
    statement: Text
    rationale: Text
    applies_when: Text
    criteria: tuple[Criterion, ...]
    always_on: bool = Field(default=False, strict=True)
    red_flag_families: tuple[RedFlagFamily, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    version: Version = "1.0.0"
    review_status: Literal["not_clinician_reviewed", "clinician_reviewed"] = "not_clinician_reviewed"

    @property
    def dimension(self) -> Dimension:
        """The first part of the id."""
        return Dimension(self.id.split(".")[0])

    @property
    def level(self) -> str:
        """The second part of the id: one of the dimension's named levels."""
        return self.id.split(".")[1]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        check_level(*self.id.split(".")[:2])
        # Not by `min_length`: pydantic would then also report a list whose only criterion is at fault as too short.
        if not self.criteria:
            raise ValueError("criteria: at least one")
        repeated = _repeated([criterion.id for criterion in self.criteria])
        if repeated:
            raise ValueError(f"criterion ids repeat: {', '.join(repeated)}")
        return self


class PrinciplesFile(Record):
    """One YAML file: the principles of one level of one dimension."""

    dimension: Dimension
    level: str
    principles: tuple[Principle, ...]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        check_level(self.dimension, self.level)
        prefix = f"{self.dimension}.{self.level}."
        strangers = [principle.id for principle in self.principles if not principle.id.startswith(prefix)]
        if strangers:
            raise ValueError(f"ids must begin with {prefix!r}: {', '.join(strangers)}")
        return self


class LabelledQuery(Record):
    """A question as somebody would ask it, the principle it should bring in, and its scenario."""

    text: Text
    principle: PrincipleId
    urgency: Literal["emergent", "urgent", "routine"]
    uncertainty: Literal["none", "reducible", "irreducible"]
    expertise: Literal["lay", "professional"]
    task_type: Literal[
        "triage",
        "treatment",
        "interpretation",
        "education",
        "support",
        "documentation",
        "translation",
        "boundary",
    ]

    def label(self, dimension: Dimension) -> str:
        """The named level of this query in one dimension."""
        return str(getattr(self, dimension.value))


class QueriesFile(Record):
    """One YAML file of labelled queries."""

    queries: tuple[LabelledQuery, ...]


def check_level(dimension: str, level: str) -> None:
    """Raise ValueError unless `level` is one of the dimension's names."""
    if dimension not in LEVELS:
        raise ValueError(f"{dimension!r} is not a dimension: one of {', '.join(LEVELS)}")
    if level not in LEVELS[Dimension(dimension)]:
        raise ValueError(f"{level!r} is not a level of {dimension}: one of {', '.join(LEVELS[Dimension(dimension)])}")


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
