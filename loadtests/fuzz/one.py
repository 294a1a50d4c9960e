"""One target under atheris, in a process of its own: `python -m loadtests.fuzz.one NAME RUNS`.

The last line on standard output is JSON: inputs, how many were read and refused, and coverage reached. A crash ends the
process with another status, and the input that caused it is written beside the corpus.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service", "principles_store"], enable_loader_override=False):  # pyright: ignore[reportAttributeAccessIssue] - made when it is loaded
    from loadtests.fuzz.mutate import json_mutator
    from loadtests.fuzz.targets import Target, targets

MAX_BYTES = 4096
_SEED = 7


def main(name: str, runs: int) -> None:
    """Fuzz it; atheris ends the process."""
    target, seen = targets()[name], Counter[str]()

    def one_input(data: bytes) -> None:
        seen["inputs"] += 1
        seen["read" if target.read(data) else "refused"] += 1
        if seen["inputs"] == runs:  # atheris leaves without another word
            print(json.dumps(seen), flush=True)

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    _seed(folder, target)
    arguments = [
        sys.argv[0],
        f"-atheris_runs={runs}",
        f"-seed={_SEED}",
        f"-max_len={MAX_BYTES}",
        "-timeout=120",
        f"-artifact_prefix={folder}/crash-",
        str(folder),
    ]
    mutator = json_mutator(_mutate, seeds=target.seeds) if target.is_json else None
    atheris.Setup(arguments, one_input, **({"custom_mutator": mutator} if mutator else {}))
    atheris.Fuzz()


def _mutate(data: bytes, most: int) -> bytes:
    """Atheris's own way; it is another function once fuzzing has begun, so it is looked up each time."""
    mutated: bytes = atheris.Mutate(data, most)
    return mutated


def _seed(folder: Path, target: Target) -> None:
    for number, seed in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(seed)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
