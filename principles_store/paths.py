"""Where the principles, the encoder and the index are, unless somebody says otherwise."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PACKAGE: Final = Path(__file__).resolve().parent
SHIPPED_PRINCIPLES: Final = PACKAGE / "principles"
SHIPPED_QUERIES: Final = PACKAGE / "queries"
SHIPPED_TOPICS: Final = PACKAGE / "topics"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders the store works with. `build/` stands beside the packages in a checkout."""

    principles: Path = SHIPPED_PRINCIPLES
    queries: Path = SHIPPED_QUERIES
    encoder: Path = PACKAGE.parent / "build" / "encoder"
    index: Path = PACKAGE.parent / "build" / "index"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The defaults, with CLINALIGN_PRINCIPLES_DIR, _QUERIES_DIR, _ENCODER_DIR and _INDEX_DIR over them."""
        settings = os.environ if environment is None else environment
        named = {
            name: Path(settings[variable])
            for name in ("principles", "queries", "encoder", "index")
            if settings.get(variable := f"CLINALIGN_{name.upper()}_DIR")
        }
        return cls(**named)
