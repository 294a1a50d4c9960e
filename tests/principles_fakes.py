"""A small store of principles, and an encoder that needs no model: texts that share words lie near each other."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from principles_store.building import build
from principles_store.encoder import Encoder, EncoderDescription, ModelFile, Precision, normalise
from principles_store.loading import load_principles
from principles_store.schema import LabelledQuery, Principle
from principles_store.store import PrinciplesStore, Snapshot, open_snapshot
from principles_store.words import words
from principles_store.writing import write_principles

WIDTH = 64

URGENT_WORDS = "chest pain pressure arm jaw"
DOSE_WORDS = "dose tablet medicine milligrams"
LETTER_WORDS = "letter summary referral note"
PLAIN_WORDS = "plain words explain meaning"


class WordEncoder(Encoder):
    """A bag of hashed words as a unit vector; `name` makes one encoder differ from another."""

    def __init__(self, name: str = "words", *, precision: Precision = Precision.FP32) -> None:
        description = EncoderDescription(
            name=name,
            dimension=WIDTH,
            max_tokens=256,
            pooling="mean",
            source_sha256="0" * 64,
            tokenizer_sha256="0" * 64,
            models={p: ModelFile(file=f"{name}.{p}.onnx", sha256=f"{name}-{p}") for p in Precision},
        )
        super().__init__(description, precision, tokenizer=None, session=None)

    def encode_one(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(WIDTH, dtype=np.float32)
        for word in words(text):
            vector[zlib.crc32(word.encode()) % WIDTH] += 1.0
        return normalise(vector)


def principle(principle_id: str, *, applies_when: str = "a situation", **fields: Any) -> Principle:
    """A principle that differs from others in its id and situation."""
    given: dict[str, Any] = {
        "id": principle_id,
        "title": f"Title of {principle_id.rsplit('.', 1)[1]}",
        "statement": f"Do what {principle_id.rsplit('.', 1)[1]} asks for.",
        "rationale": "It helps.",
        "applies_when": applies_when,
        "criteria": [
            {"id": "does", "text": "Does the thing.", "weight": 7, "polarity": "must"},
            {"id": "harms", "text": "Does the harmful thing.", "weight": 4, "polarity": "must_not"},
        ],
    }
    return Principle.model_validate({**given, **fields})


def query(text: str, principle_id: str, **labels: str) -> LabelledQuery:
    """A labelled query; routine, certain, lay and about treatment unless said otherwise."""
    usual = {"urgency": "routine", "uncertainty": "none", "expertise": "lay", "task_type": "treatment"}
    return LabelledQuery.model_validate({"text": text, "principle": principle_id, **usual, **labels})


PRINCIPLES = (
    principle("urgency.emergent.heart", applies_when=URGENT_WORDS, red_flag_families=["cardiac"]),
    principle("task_type.treatment.dose", applies_when=DOSE_WORDS),
    principle("task_type.documentation.letter", applies_when=LETTER_WORDS),
    principle("expertise.lay.plain", applies_when=PLAIN_WORDS),
    principle("uncertainty.none.always", applies_when="any question at all", always_on=True),
)
QUERIES = (
    query("pain in my chest and arm", "urgency.emergent.heart", urgency="emergent", task_type="triage"),
    query("chest pressure and jaw pain", "urgency.emergent.heart", urgency="emergent", task_type="triage"),
    query("which dose of the tablet", "task_type.treatment.dose", urgency="routine"),
    query("how many milligrams of the medicine", "task_type.treatment.dose", urgency="routine"),
    query("write a referral letter", "task_type.documentation.letter", task_type="documentation"),
    query("summary note please", "task_type.documentation.letter", task_type="documentation"),
    query("explain the meaning in plain words", "expertise.lay.plain", task_type="education"),
    query("what does this mean", "expertise.lay.plain", task_type="education"),
)


def write_store(folder: Path, principles: Sequence[Principle] = PRINCIPLES) -> tuple[Path, Path]:
    """Principles as YAML and the index over them, under the folder."""
    write_principles(principles, folder / "principles", force=True)
    build(load_principles(folder / "principles"), QUERIES, WordEncoder(), folder / "index")
    return folder / "principles", folder / "index"


def small_store(folder: Path, principles: Sequence[Principle] = PRINCIPLES) -> PrinciplesStore:
    """A store over the small principles, on disk under the folder."""
    principles_dir, index_dir = write_store(folder, principles)
    snapshot: Snapshot = open_snapshot(principles_dir, index_dir, WordEncoder())
    return PrinciplesStore(snapshot, WordEncoder(), principles_dir=principles_dir, index_dir=index_dir)
