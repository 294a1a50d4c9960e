"""Run schemathesis against a gateway, and count its cases by operation from the events that it wrote."""

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[2]
_COMMAND = ROOT / ".venv-schema" / "bin" / "schemathesis"
_SETTINGS = Path(__file__).with_name("schemathesis.toml")


@dataclass(slots=True)
class Tried:
    """Cases and failed checks by operation, replies by status, the run's seconds, and schemathesis's own summary."""

    cases: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    seconds: float = 0.0
    status: int = 0
    told: str = ""

    @property
    def server_errors(self) -> int:
        """Replies of 500 and above."""
        return sum(n for counted in self.statuses.values() for status, n in counted.items() if status >= 500)
