"""Tiny BERTs of chance weights, exported as any model would be: a folder in; on standard output what became of each.

Run in the training environment.
"""

import contextlib
import json
import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizerFast

from tests.contract.tiny_encoders_texts import TEXTS
from training import encoder_export
from training.encoder_export import SENTENCES

WIDTH = 32


def bert(folder: Path) -> Path:
    torch.manual_seed(7)
    letters = sorted({letter for text in SENTENCES for letter in text.lower() if not letter.isspace()})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    BertTokenizerFast(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    shape = BertConfig(
        vocab_size=len(words), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(shape).save_pretrained(folder)
    return folder


def exported(model: SentenceTransformer, folder: Path, *options: str) -> dict[str, object]:
    """Saved as a model of its folder's name, and exported from there beside it."""
    model.save(str(folder))
    out = folder.parent / f"{folder.name}.encoder"
    with contextlib.redirect_stdout(sys.stderr):
        try:
            status: object = encoder_export.main(["--model", str(folder), "--out", str(out), *options])
        except SystemExit as refusal:
            status = refusal.code
    vectors = model.encode(TEXTS, normalize_embeddings=True, prompt="").tolist()
    return {"status": status, "out": str(out) if out.exists() else None, "vectors": vectors}


def main(root: Path) -> None:
    transformer = Transformer(str(bert(root / "bert")), max_seq_length=128)

    def pooled(how: str, *more: torch.nn.Module, **settings: object) -> SentenceTransformer:
        return SentenceTransformer(
            modules=[transformer, Pooling(WIDTH, pooling_mode=how), *more], device="cpu", **settings
        )

    asked = {"query": "query: ", "passage": "passage: "}
    found = {
        "mean": exported(pooled("mean"), root / "mean"),
        "cls": exported(pooled("cls"), root / "cls"),
        "max": exported(pooled("max"), root / "max"),
        "dense": exported(pooled("mean", Dense(WIDTH, WIDTH)), root / "dense"),
        "prompts": exported(pooled("mean", prompts=asked), root / "prompts"),
        "without": exported(
            pooled("mean", prompts=asked, default_prompt_name="query"), root / "without", "--without-prompts"
        ),
        "e5": exported(pooled("mean"), root / "e5-tiny-v2"),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
