"""The real encoder, for tests that need it: where it was not exported they are skipped, loudly."""

import os
from pathlib import Path

import pytest

from principles_store.encoder import DESCRIPTION
from principles_store.paths import PACKAGE, Places

needs_encoder = pytest.mark.skipif(
    not (Places.from_environment().encoder / DESCRIPTION).is_file(),
    reason="NOT TESTED: no encoder. Build it: `python -m training.encoder_export --out build/encoder` (training env)",
)


def training_python() -> Path:
    """The interpreter that has torch, or a skip that says how to get one."""
    named = os.environ.get("CLINALIGN_TRAINING_PYTHON")
    python = Path(named) if named else PACKAGE.parent / ".venv-training" / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"NOT TESTED: {python} is missing. Run `make install-training`, or set CLINALIGN_TRAINING_PYTHON")
    return python
