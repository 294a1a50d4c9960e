"""Supervised training of the small checkpoint: one TOML in, a resumable state and a log of losses out.

Each worker is a process of one thread that makes its own dialogues; gradients are averaged after each step. Weights are
bfloat16 copies of float32 masters. Matrices are trained with Muon, the rest with AdamW. A stopped run goes on from its
state.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, Qwen3Config, Qwen3ForCausalLM

from training import tokenizer as bpe
from training.chatml import END, PAD, SPECIAL
from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.words import Split
from training.run_config import RunConfig, Shape
from training.trees import STAGES, Tree, association, drill, plant

# Trees are made in pools of this many steps and sorted by length, so that workers wait little for one another.
_POOL = 4
_CHECK_TREES = 48
# Added to the score of what a token must not see.
_HIDDEN = -1e4


def run(config: RunConfig, *, progress: bool = True) -> None:
    """Trains to the configured number of steps, from the last state where there is one."""
    config.folder.mkdir(parents=True, exist_ok=True)
    path = config.folder / "tokenizer.json"
    if not path.exists():
        trained = bpe.train(
            source(config, Split.TRAIN), vocabulary=config.shape.vocabulary, dialogues=config.tokenizer_dialogues
        )
        trained.save(str(path))
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29511")
    mp.spawn(_worker, args=(config, progress), nprocs=config.workers)


def source(config: RunConfig, split: Split) -> Source:
    """The run's dialogues of one split."""
    everything = library.load()
    return Source(everything, library.queries(), config.seed, split, everything.trained)


def model(shape: Shape, special: dict[str, int]) -> Qwen3ForCausalLM:
    """A new Qwen3 of the shape, in bfloat16."""
    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=special[END],
        pad_token_id=special[PAD],
        attn_implementation="tree",
    )
    made = Qwen3ForCausalLM(config)
    frequencies = made.model.rotary_emb.inv_freq.clone()
    made.bfloat16()
    made.model.rotary_emb.inv_freq = frequencies  # positions need float32; bfloat16() rounds buffers too
    return made


@dataclass(frozen=True, slots=True)
class Block:
    """The next `size` tokens: they attend to block `root` (-1: none) and, where `bias` allows, to one another."""

    size: int
    root: int
    bias: Tensor


def _attention(
    _module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: None,
    *,
    scaling: float,
    blocks: list[Block],
    **_: object,
) -> tuple[Tensor, None]:
    """Attention over [1, heads, tokens, width], block by block: a third of the work of one mask over all tokens."""
    shared = query.shape[1] // key.shape[1]
    sizes = [block.size for block in blocks]
    queries = query[0].split(sizes, 1)
    keys, values = (x[0].repeat_interleave(shared, 0).split(sizes, 1) for x in (key, value))
    mixed = []
    for at, block in enumerate(blocks):
        seen = [at] if block.root < 0 else [block.root, at]
        bias = block.bias.expand(query.shape[1], *block.bias.shape)
        own, theirs = torch.cat([keys[i] for i in seen], 1), torch.cat([values[i] for i in seen], 1)
        scores = torch.baddbmm(bias, queries[at], own.transpose(1, 2), alpha=scaling)
        mixed.append(torch.softmax(scores, -1) @ theirs)
    return torch.cat(mixed, 1).transpose(0, 1)[None], None


AttentionInterface.register("tree", _attention)


class Learner:
    """The model with its float32 masters and optimisers."""

    def __init__(self, config: RunConfig, tokenizer: Tokenizer) -> None:
        torch.manual_seed(config.seed)
        special = {text: tokenizer.token_to_id(text) for text in SPECIAL}
        self.config = config
        self.model = model(config.shape, special)
        self.parameters = list(self.model.parameters())
        self.masters = [p.detach().float().clone() for p in self.parameters]
        named = dict(zip((name for name, _ in self.model.named_parameters()), self.masters, strict=True))
        matrices = [p for name, p in named.items() if p.ndim == 2 and "embed" not in name]
        rest = [p for name, p in named.items() if p.ndim != 2 or "embed" in name]
        rate, decay = config.learning_rate, config.weight_decay
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]

    def step(self, number: int, trees: list[Tree]) -> Tensor:
        """One step on this worker's trees; returns summed loss and weight of each stage, and tokens."""
        total, report = losses(self.model, trees)
        total.backward()
        self._average()
        torch.nn.utils.clip_grad_norm_(self.masters, self.config.clip)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.config.learning_rate * schedule(self.config, number)
            optimiser.step()
        with torch.no_grad():
            for parameter, master in zip(self.parameters, self.masters, strict=True):
                parameter.copy_(master)
                parameter.grad = None
        return report

    def _average(self) -> None:
        """The mean gradient of all workers, in float32, on the masters."""
        flat = torch.cat([p.grad.float().flatten() for p in self.parameters if p.grad is not None])
        dist.all_reduce(flat)
        flat /= self.config.workers
        pieces = flat.split([m.numel() for m in self.masters])
        for master, piece in zip(self.masters, pieces, strict=True):
            master.grad = piece.view_as(master)

    def save(self, path: Path, number: int) -> None:
        """Writes the state, whole or not at all."""
        state = {"step": number, "masters": self.masters, "optimisers": [o.state_dict() for o in self.optimisers]}
        torch.save(state, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)

    def load(self, path: Path) -> int:
        """Reads the state; returns the number of steps done."""
        state = torch.load(path, weights_only=True)
        with torch.no_grad():
            for parameter, master, saved in zip(self.parameters, self.masters, state["masters"], strict=True):
                master.copy_(saved)
                parameter.copy_(saved)
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        return int(state["step"])


def schedule(config: RunConfig, number: int) -> float:
    """The share of the learning rate at a step: a warm-up, a plateau, a linear decay."""
    if number < config.warmup:
        return (number + 1) / config.warmup
    return min(1.0, max(0.02, (config.steps - number) / config.decay))


def losses(network: Qwen3ForCausalLM, trees: list[Tree]) -> tuple[Tensor, Tensor]:
    """The weighted mean loss, and [stage: loss, right, count ...; tokens] for the log."""
    hidden = hidden_states(network, trees, blocks_of(trees))
    before, wanted, weight, stage = _targets(trees)
    logits = network.lm_head(hidden[before]).float()
    each = functional.cross_entropy(logits, wanted, reduction="none")
    report = torch.zeros(3 * len(STAGES) + 1, dtype=torch.float64)
    right = logits.argmax(-1) == wanted
    for at in range(len(STAGES)):
        mine = stage == at
        report[3 * at : 3 * at + 3] = torch.stack([each.detach()[mine].sum(), right[mine].sum(), mine.sum()])
    report[-1] = sum(len(tree.ids) for tree in trees)
    return (each * weight).sum() / weight.sum(), report


def hidden_states(network: Qwen3ForCausalLM, trees: list[Tree], blocks: list[Block]) -> Tensor:
    """[tokens, width]: the last hidden states of all trees, laid end to end."""
    ids = torch.tensor([number for tree in trees for number in tree.ids])[None]
    positions = torch.tensor([position for tree in trees for position in tree.positions])[None]
    done = network.model(
        input_ids=ids,
        position_ids=positions,
        attention_mask={"full_attention": None},  # the blocks say who sees whom
        use_cache=False,
        blocks=blocks,
    )
    return done.last_hidden_state[0]


def blocks_of(trees: list[Tree]) -> list[Block]:
    """The blocks of all trees, laid end to end."""
    found: list[Block] = []
    for tree in trees:
        root, reach = -1, 0
        for start, end, visible in tree.blocks():
            bias = np.zeros((end - start, reach + end - start), dtype=np.float32)
            bias[:, reach:][~visible] = _HIDDEN
            found.append(Block(end - start, root, torch.from_numpy(bias).bfloat16()))
            if root < 0:
                root, reach = len(found) - 1, end
    return found


def _targets(trees: list[Tree]) -> tuple[Tensor, ...]:
    """Of every token that is learnt: the index of the token before it, itself, its weight, its stage."""
    found: list[list[np.ndarray]] = [[], [], [], []]
    offset = 0
    for tree in trees:
        weights = np.asarray(tree.weights, dtype=np.float32)
        learnt = np.flatnonzero(weights)
        columns = (
            offset + tree.previous()[learnt],
            np.asarray(tree.ids)[learnt],
            weights[learnt],
            np.asarray(tree.stages)[learnt],
        )
        for column, values in zip(found, columns, strict=True):
            column.append(values)
        offset += len(tree.ids)
    return tuple(torch.from_numpy(np.concatenate(column)) for column in found)


def batches(
    config: RunConfig, tokenizer: Tokenizer, dialogues: Source, *, rank: int, start: int
) -> Iterator[list[Tree]]:
    """The worker's trees from step `start` on: the same for the same seed, wherever the run was stopped."""
    number = start
    while True:
        pool, inside = divmod(number, _POOL)
        size = _POOL * config.trees
        first = (pool * config.workers + rank) * size
        trees = [plant(dialogues.dialogue(n), tokenizer, limit=config.tree_tokens) for n in range(first, first + size)]
        trees.sort(key=lambda tree: len(tree.ids))
        for at in range(inside, _POOL):
            rng = random.Random(f"{config.seed}/drill/{rank}/{number}")
            drills = [drill(rng, vocabulary=config.shape.vocabulary) for _ in range(config.drills)]
            pairs = [(e, p.statement) for p in dialogues.library.trained for e in p.exemplars]
            drawn = rng.sample(pairs, config.associations)
            drills += [association(rng, exemplar, statement, tokenizer=tokenizer) for exemplar, statement in drawn]
            yield [*trees[at * config.trees : (at + 1) * config.trees], *drills]
            number += 1


def _worker(rank: int, config: RunConfig, progress: bool) -> None:  # noqa: FBT001 - spawn passes by position
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=config.workers)
    tokenizer = Tokenizer.from_file(str(config.folder / "tokenizer.json"))
    learner = Learner(config, tokenizer)
    state = config.folder / "state.pt"
    start = learner.load(state) if state.exists() else 0
    dist.barrier()
    log = Log(config.folder / "log.jsonl", writes=rank == 0, prints=progress)
    stream = batches(config, tokenizer, source(config, Split.TRAIN), rank=rank, start=start)
    for number in range(start, config.steps):
        report = learner.step(number, next(stream))
        dist.all_reduce(report)
        log.train(number, report)
        if (number + 1) % config.check_every == 0:
            report = check(learner.model, config, tokenizer, rank=rank)
            dist.all_reduce(report)
            log.check(number, report)
        if rank == 0 and ((number + 1) % config.save_every == 0 or number + 1 == config.steps):
            learner.save(state, number + 1)
    dist.destroy_process_group()


@torch.no_grad()
def check(network: Qwen3ForCausalLM, config: RunConfig, tokenizer: Tokenizer, *, rank: int) -> Tensor:
    """Losses on held-out dialogues, whose words and questions training never draws; each worker takes its share."""
    dialogues = source(config, Split.HELD_OUT)
    mine = range(rank, _CHECK_TREES, config.workers)
    trees = [plant(dialogues.dialogue(n), tokenizer, limit=config.tree_tokens) for n in mine]
    reports = [losses(network, trees[at : at + config.trees])[1] for at in range(0, len(trees), config.trees)]
    return torch.stack(reports).sum(0)


class Log:
    """Prints a line now and then, and appends it to a file."""

    def __init__(self, path: Path, *, writes: bool, prints: bool, every: int = 10) -> None:
        self._path, self._writes, self._prints, self._every = path, writes, prints, every
        self._sum, self._since = torch.zeros(3 * len(STAGES) + 1, dtype=torch.float64), time.monotonic()

    def train(self, number: int, report: Tensor) -> None:
        """Adds a step's report."""
        self._sum += report
        if (number + 1) % self._every == 0:
            seconds = time.monotonic() - self._since
            self._write(
                "train",
                number,
                self._sum,
                {"tokens": int(self._sum[-1]), "tokens_per_second": round(float(self._sum[-1]) / seconds)},
            )
            self._sum, self._since = torch.zeros_like(self._sum), time.monotonic()

    def check(self, number: int, report: Tensor) -> None:
        """Writes a held-out report."""
        self._write("held_out", number, report, {})
        self._since = time.monotonic()

    def _write(self, kind: str, number: int, report: Tensor, more: dict[str, int]) -> None:
        if not self._writes:
            return
        row: dict[str, object] = {"kind": kind, "step": number + 1, **more}
        for at, stage in enumerate(STAGES):
            loss, right, count = (float(value) for value in report[3 * at : 3 * at + 3])
            row[stage] = [round(loss / max(count, 1), 3), round(right / max(count, 1), 3)]
        line = json.dumps(row)
        if self._prints:
            print(line, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
