"""Where the environment with torch stands: what needs it runs there, in a process of its own."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
# Made by `make install-training`; `make install-align` adds TRL, and pyarrow with it.
TRAINING: Final = ROOT / ".venv-training/bin/python"
