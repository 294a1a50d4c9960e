"""A trained reader in; the gateway's folder out: the network in ONNX, whole and quantised to a byte a weight."""

import shutil
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from principles_store.encoder import sha256_of
from training.encoder_export import OPSET, find
from training.judge.network import Reader
from training.judge.whole import SMALL, TOKENIZER, WHOLE


def export(reader: Reader, folder: Path, *, tokens: int) -> dict[str, str]:
    """Write both networks and the tokenizer; the hashes of what the gateway needs. fp32 is only for comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(reader.eval(), folder / WHOLE, tokens=tokens)
    # Seven bits a weight: on processors without VNNI, sums of 8-bit products overflow and verdicts change.
    quantize_dynamic(
        str(folder / WHOLE), str(folder / SMALL), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
    )
    shutil.copyfile(Path(find(None).location) / TOKENIZER, folder / TOKENIZER)
    return {name: sha256_of(folder / name) for name in (SMALL, TOKENIZER)}


def _write(reader: Reader, path: Path, *, tokens: int) -> None:
    ids = torch.ones(1, 12, dtype=torch.int64)
    segments = torch.tensor([[0] * 6 + [1] * 3 + [2] * 3])
    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 1, 2]])
    wanted = torch.tensor([[1, 2]])
    long, many = torch.export.Dim("tokens", min=2, max=tokens), torch.export.Dim("claims", min=1, max=512)
    program = torch.onnx.export(
        reader,
        (ids, positions, segments, wanted),
        dynamo=True,
        opset_version=OPSET,
        input_names=["ids", "positions", "segments", "wanted"],
        output_names=["logits", "nearness"],
        dynamic_shapes=({1: long}, {1: long}, {1: long}, {1: many}),
        verbose=False,
    )
    if program is None:
        raise SystemExit("torch.onnx gave no program: the reader cannot be exported")
    model = program.model_proto
    # Shapes that the quantiser's own inference stumbles over, and notes that carry this machine's paths.
    del model.graph.value_info[:]
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, str(path))
