"""The exported encoder gives the vectors that sentence-transformers gives."""

import json
import subprocess

import numpy as np
import pytest

from principles_store.encoder import Encoder
from principles_store.paths import PACKAGE, Places
from tests.shipped_store import needs_encoder, training_python

TEXTS = [
    "crushing pain in my chest, arm feels heavy",
    "62M, AF, eGFR 28: which anticoagulant and what dose?",
    "Please turn this letter into plain words for my mother.",
    "ok",
    "",
    "Kann ich Ibuprofen mit Blutdrucktabletten nehmen?",
    "my knee hurts when I walk down the stairs " * 40,
]
REFERENCE = """
import json, sys
from sentence_transformers import SentenceTransformer
from training.encoder_export import find
model = SentenceTransformer(find(None).location, device="cpu")
print(json.dumps(model.encode(json.load(sys.stdin), normalize_embeddings=True, batch_size=1).tolist()))
"""


@pytest.mark.training
@pytest.mark.timeout(300)
@needs_encoder
def test_vectors_agree_with_sentence_transformers() -> None:
    reference = subprocess.run(
        [training_python(), "-c", REFERENCE],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
        timeout=240,
    )
    wanted = np.array(json.loads(reference.stdout.splitlines()[-1]), dtype=np.float32)
    cosines = np.sum(Encoder.load(Places.from_environment().encoder).encode(TEXTS) * wanted, axis=1)
    assert cosines.min() >= 0.999
