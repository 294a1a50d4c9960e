"""The published judge with its network in whole precision, to compare the shipped one with; needs no torch."""

import json
from pathlib import Path
from typing import Final

from principles_store.encoder import sha256_of
from service.entailment.reader import MANIFEST, AnswerReader, JudgeManifest
from training.judge.config import JudgeRun

WHOLE: Final = "judge.fp32.onnx"
SMALL: Final = "judge.int8.onnx"
ACTS: Final = "acts.json"  # of the run's folder: how many acts are found that were not learnt
TOKENIZER: Final = "tokenizer.json"


def whole_network(config: JudgeRun, shipped: Path) -> AnswerReader:
    """The reader of the `shipped` folder, its heads and threshold, with the network in fp32 instead."""
    exported, folder = config.folder / "export", config.folder / "whole"
    folder.mkdir(parents=True, exist_ok=True)
    manifest = JudgeManifest.model_validate(json.loads((shipped / MANIFEST).read_bytes()))
    files = {name: sha256_of(exported / name) for name in (WHOLE, TOKENIZER)}
    whole = manifest.model_copy(update={"network": WHOLE, "files": files})
    (folder / MANIFEST).write_text(whole.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for name in files:
        (folder / name).write_bytes((exported / name).read_bytes())
    return AnswerReader.load(folder)
