"""The real encoder, for tests that need it: see tests/needs.py for where it was not exported."""

import os
from pathlib import Path

from principles_store.encoder import DESCRIPTION
from principles_store.paths import PACKAGE, Places
from tests.needs import TRAINING, needs, required

needs_encoder = needs(
    (Places.from_environment().encoder / DESCRIPTION).is_file(),
    "no encoder. Build it: `python -m training.encoder_export --out build/encoder` (training env)",
)


def training_python() -> Path:
    """The interpreter that has torch, or how to get one."""
    named = os.environ.get("CLINALIGN_TRAINING_PYTHON")
    python = Path(named) if named else PACKAGE.parent / ".venv-training" / "bin" / "python"
    required(python.is_file(), f"{python} is missing: {TRAINING}, or set CLINALIGN_TRAINING_PYTHON")
    return python
