"""One digest over all the words we say to models, for provenance."""

import hashlib
from functools import cache
from pathlib import Path


@cache
def prompts_digest() -> str:
    """SHA-256 over the sources of this package, in order of their names."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"
