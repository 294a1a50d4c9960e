"""What torch and transformers make of a checkpoint and a tree, as JSON: `python -m training.probe CHECKPOINT_DIR`."""

import json
import sys
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path
from unittest import mock

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from training import gguf
from training.chatml import SPECIAL
from training.dialogues.words import Split
from training.supervised import log
from training.supervised import network as networks
from training.supervised import run as running
from training.supervised.batch import end_to_end, in_rows
from training.supervised.config import RunConfig, Shape, read
from training.supervised.feed import batches, source
from training.supervised.loss import losses
from training.supervised.muon import orthogonal
from training.supervised.trees import Tree, plant


def _learning(config: RunConfig, tokenizer: Tokenizer) -> dict[str, object]:
    """How far the packed forward lies from the plain one."""
    torch.manual_seed(0)
    special = {text: tokenizer.token_to_id(text) for text in SPECIAL}
    network = networks.new(config.shape, special)
    trees = [plant(source(config, Split.TRAIN).dialogue(n), tokenizer, limit=config.tree_tokens) for n in (1, 2, 3)]
    tree = trees[0]
    with torch.no_grad():
        packed = networks.hidden_states(network, end_to_end([tree]))
        told = [losses(network, lay(trees)) for lay in (end_to_end, in_rows)]
        apart = max(float((one - other).abs().max()) for one, other in zip(*told, strict=True))
        network.set_attn_implementation("sdpa")
        far = max(_difference(network, tree, segment, packed) for segment in range(len(tree.parents)))
    return {"difference": far, "segments": len(tree.parents), "layouts_apart": apart}


def _orthogonal() -> dict[str, object]:
    """The singular values that Muon's iterations leave."""
    torch.manual_seed(0)
    left = torch.linalg.svdvals(orthogonal(torch.randn(3, 96, 64)))
    return {"singular_values": [float(left.min()), float(left.max())]}


def _growth(config: RunConfig, checkpoint: Path) -> dict[str, object]:
    """How far a model that starts from the checkpoint with a wider feed-forward lies from the checkpoint."""
    path = checkpoint / "model.safetensors"
    special = {text: number for number, text in enumerate(SPECIAL)}
    ids = torch.arange(40)[None]
    said = []
    for more in (0, 64):
        network = networks.new(replace(config.shape, feed_forward=config.shape.feed_forward + more), special)
        networks.start_from(path, network, sha256=gguf.sha256(path))
        network.set_attn_implementation("sdpa")
        with torch.no_grad():
            said.append(network(input_ids=ids).logits)
    return {"growth": float((said[0] - said[1]).abs().max())}


def _resumed(tokenizer: Path) -> dict[str, object]:
    """Whether a run that was stopped after two of its four steps, and one that was not, end with the same weights."""
    shape = Shape(4096, 64, 2, 2, 1, 32, 64, 2048)
    unchecked = mock.patch.object(running, "check", return_value={"score": 0.0})
    with tempfile.TemporaryDirectory() as scratch, unchecked:
        ends = []
        for name, stops in (("whole", False), ("stopped", True)):
            folder = Path(scratch) / name
            folder.mkdir()
            (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
            config = replace(_small(), name=str(folder), shape=shape, workers=int(stops))
            if stops:
                with mock.patch.object(running, "batches", lambda *args, **kw: islice(batches(*args, **kw), 2)):
                    running.run(config, progress=False)
            running.run(config, progress=False)
            ends.append(torch.load(folder / "state.pt", weights_only=True))
            passed = log.tokens(folder / log.LOG, steps=config.steps)
        same = all(bool((ends[0]["model"][k] == ends[1]["model"][k]).all()) for k in ends[0]["model"])
    return {"resumed_same": same, "resumed_steps": ends[1]["step"], "resumed_tokens": passed}


def _small() -> RunConfig:
    """Four steps of a few trees."""
    config = read(Path("training/runs/demo-sft.toml"))
    config = replace(config, start="", start_sha256="", trees=1, grave=1, grafts=0, mends=1, echoes=2, scrambles=1)
    return replace(config, steps=4, copying_steps=0, warmup=1, decay=2, save_every=2, check_every=4, tree_tokens=900)


def _difference(network: torch.nn.Module, tree: Tree, segment: int, packed: torch.Tensor) -> float:
    line = [segment]
    while tree.parents[line[0]] >= 0:
        line.insert(0, tree.parents[line[0]])
    path = [at for s in line for at in range(len(tree.ids)) if tree.segments[at] == s]
    ids = torch.tensor([[tree.ids[at] for at in path]])
    plain = network.model(input_ids=ids, use_cache=False).last_hidden_state[0]
    return float((plain - packed[path]).abs().max())


def _greedy(checkpoint: Path, conversations: list[list[dict[str, str]]]) -> dict[str, object]:
    network = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    prompts = [tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in conversations]
    replies = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            said = network.generate(**ids, max_new_tokens=60, do_sample=False)
        replies.append(tokenizer.decode(said[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))
    return {"prompts": prompts, "replies": replies, "use_cache": network.config.use_cache}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    run = read(Path("training/runs/demo-sft.toml"))
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found = {**_learning(run, own), **_orthogonal(), **_growth(run, folder), **_resumed(folder / "tokenizer.json")}
    print(json.dumps({**found, **_greedy(folder, json.loads(sys.stdin.read()))}))
