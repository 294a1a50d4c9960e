"""Where the principles, the encoder and the index are, and which of the encoder's models reads, unless told otherwise.

Read as the gateway's own settings are, variables over the TOML file, so that what is built is what is served.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from principles_store.encoder import Precision
from principles_store.errors import StoreError

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
    precision: Precision = Precision.FP32

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The defaults; over them `principles_dir`, `encoder_dir`, `index_dir` and `encoder_precision` of the TOML file
        that CLINALIGN_CONFIG names; over these CLINALIGN_PRINCIPLES_DIR and so on, and CLINALIGN_QUERIES_DIR.

        Raises:
            StoreError: the file cannot be read, or the precision is none.

        """  # noqa: D205 - one sentence too long for one line
        variables = os.environ if environment is None else environment
        file = _read(variables.get("CLINALIGN_CONFIG"))
        folders = {
            name: Path(str(found))
            for name in ("principles", "queries", "encoder", "index")
            if (found := variables.get(f"CLINALIGN_{name.upper()}_DIR") or file.get(f"{name}_dir"))
        }
        precision = variables.get("CLINALIGN_ENCODER_PRECISION") or file.get("encoder_precision")
        return cls(**folders, precision=_precision(precision) if precision else Precision.FP32)


def _read(config: str | None) -> Mapping[str, Any]:
    if not config:
        return {}
    try:
        return tomllib.loads(Path(config).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"CLINALIGN_CONFIG: {config} cannot be read as TOML ({type(error).__name__})") from error


def _precision(given: Any) -> Precision:
    try:
        return Precision(given)
    except ValueError as error:
        raise StoreError(f"encoder_precision: {given!r} is none of {', '.join(Precision)}") from error
