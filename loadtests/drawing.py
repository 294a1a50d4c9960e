"""A folder of data in; the real questions of the page of examples, found by their ids, out. None is kept here."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

# Which rows, what each is about in words of ours, and the hash of its text.
DRAWN: Final = Path(__file__).parent / "drawn.jsonl"
# Where each source keeps its questions. K-QA's rows have no ids: they are counted from 1.
_KQA: Final = "K-QA"
_FILES: Final = {
    _KQA: ("kqa_questions.jsonl", "Question"),
    "HealthBench first turn": ("healthbench_prompts_5000.jsonl.gz", "first_user_turn"),
}
_ID: Final = "prompt_id"


class NotDrawn(Exception):
    """A row is not in the folder, or is another than was meant."""


def draw(folder: Path, drawn: Path = DRAWN) -> list[dict[str, str]]:
    """Rows for `clinalign load examples`: `source`, `id`, `about` and the `question` itself.

    Raises:
        NotDrawn: a file cannot be read, or a row is not the one that was meant. The message has no word of it.

    """
    wanted = [json.loads(line) for line in drawn.read_text(encoding="utf-8").splitlines()]
    texts = {source: dict(_texts(folder, source)) for source in dict.fromkeys(row["source"] for row in wanted)}
    return [_found(row, texts[row["source"]].get(row["id"])) for row in wanted]


def _found(row: Mapping[str, str], text: str | None) -> dict[str, str]:
    if text is None or hashlib.sha256(text.encode()).hexdigest() != row["sha256"]:
        raise NotDrawn(f"{row['source']}, {row['id']}: not in the folder, or another text than was meant")
    return {**{name: row[name] for name in ("source", "id", "about")}, "question": text}


def _texts(folder: Path, source: str) -> Iterator[tuple[str, str]]:
    file, field = _FILES[source]
    path = folder / file
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = [json.loads(line) for line in content.decode().split("\n") if line.strip()]
        for number, row in enumerate(rows, 1):
            yield (f"row {number}" if source == _KQA else str(row[_ID])), str(row[field])
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise NotDrawn(f"{path.name}: cannot be read as lines of JSON ({type(error).__name__})") from error
