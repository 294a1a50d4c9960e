"""`clinalign` with the arguments given, ended at the first file read that is not on the list. A script of its own.

The list: the interpreter and what is installed, code and YAML of the packages, the encoder's folder, and what the
command writes (`AUDITED_OUT`). The encoder's network is not run, for its thousands of texts take a minute: its vectors
are made here of the words' hashes. ONNX Runtime and FAISS open their files below Python, where no hook sees them; both
are handed paths of the encoder's folder and of the output.
"""

import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

import numpy as np

from principles_store.encoder import Encoder
from service.cli import main
from service.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = tuple(ROOT / name for name in ("service", "principles_store", "training", "loadtests"))
# Labels that the store is reported with: they stand in the package, and no build may read them.
REPORTED = {ROOT / "principles_store" / name for name in ("relevance.jsonl", "consensus.yaml")}
OUT = Path(os.environ["AUDITED_OUT"]).resolve()
INSTALLED = tuple(Path(path).resolve() for path in {*sysconfig.get_paths().values(), f"{sys.base_prefix}/lib", "/dev"})
ELSEWHERE = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
PLANTED = os.environ.get("AUDITED_PLANTED")
_FOUND = 3


def may_read(path: Path) -> bool:
    """Whether the fitting may open this."""
    if path in REPORTED:
        return False
    if any(path.is_relative_to(package) for package in PACKAGES):
        return path.suffix in {".py", ".pyc", ".yaml"}
    return any(path.is_relative_to(folder) for folder in (*INSTALLED, OUT, ENCODER))


def audit(name: str, arguments: tuple[object, ...]) -> None:
    """End the process where it reads elsewhere, or leaves it to another process or machine."""
    if name in ELSEWHERE:
        _end(f"{name}: nothing else may read for it")
    if name != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return  # a number is a file that was opened before
    path = Path(os.fsdecode(arguments[0])).resolve()
    if not may_read(path):
        _end(f"read: {path}")


def _end(what: str) -> NoReturn:
    os.write(2, what.encode() + b"\n")
    os._exit(_FOUND)


def hashed(self: Encoder, text: str) -> np.ndarray:
    """A unit vector of the text's words; where a test plants a reader of somebody's rows, it reads them here."""
    if PLANTED:
        Path(PLANTED).read_bytes()
    total = np.zeros(self.dimension, dtype=np.float32)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        total += np.random.default_rng(seed).standard_normal(self.dimension, dtype=np.float32)
    return total / max(float(np.linalg.norm(total)), 1e-6)


ENCODER = read_settings().encoder_dir.resolve()

if __name__ == "__main__":
    setattr(Encoder, "encode_one", hashed)  # noqa: B010 - mypy refuses an assignment to a method
    sys.addaudithook(audit)
    main()
