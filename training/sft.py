"""Supervised training of the small checkpoint: one TOML in, a resumable state, the best weights and a log out.

One process; weights in float32, layers in bfloat16 where the TOML says so: a CPU with instructions for it is faster by
them, one without is eight times slower. Muon trains matrices, AdamW the rest. A run first learns to copy from short
drills, then the stages from whole dialogues. Every so often it is checked on held-out words, and the best weights are
kept. A stopped run goes on from its state.
"""

import json
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, Qwen3Config, Qwen3ForCausalLM

from training import gguf
from training import tokenizer as bpe
from training.chatml import END, PAD, SPECIAL
from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.scenes import Scene, scrambled
from training.dialogues.words import Split
from training.muon import Muon
from training.run_config import RunConfig, Shape
from training.trees import STAGES, Tree, association, drill, echo, graft, plant

# Added to the score of what a token must not see.
_HIDDEN = -1e4
# Queries and keys start longer than the norm leaves them: at length 1 no score exceeds 8, too little to pick one token
# among hundreds, which is what copying does.
_SHARPNESS = 1.4
# What a checkpoint may not lose, and which few of all principles want.
_GRAVE = frozenset({"task_type.boundary", "urgency.emergent"})
_CHECK_DIALOGUES, _CHECK_ECHOES = 12, 120


def run(config: RunConfig, *, progress: bool = True) -> None:
    """Trains to the configured number of steps, from the last state where there is one."""
    torch.set_num_threads(config.threads)
    tokenizer = _tokenizer(config)
    learner = Learner(config, tokenizer)
    state = config.folder / "state.pt"
    start = learner.load(state) if state.exists() else 0
    log = Log(config.folder / "log.jsonl", prints=progress)
    for number, trees in zip(range(start, config.steps), batches(config, tokenizer, start=start), strict=False):
        log.train(number, learner.step(number, trees))
        if (number + 1) % config.check_every == 0 or number + 1 == config.steps:
            report = check(learner.model, config, tokenizer)
            log.check(number, report)
            learner.keep_if_best(report, number)
        if (number + 1) % config.save_every == 0 or number + 1 == config.steps:
            learner.save(state, number + 1)


def _tokenizer(config: RunConfig) -> Tokenizer:
    """The run's own, trained where it is not there yet."""
    config.folder.mkdir(parents=True, exist_ok=True)
    path = config.folder / "tokenizer.json"
    if not path.exists() and config.start:
        path.write_bytes((Path(config.start) / path.name).read_bytes())
    elif not path.exists():
        dialogues = source(config, Split.TRAIN)
        bpe.train(dialogues, vocabulary=config.shape.vocabulary, dialogues=config.tokenizer_dialogues).save(str(path))
    return Tokenizer.from_file(str(path))


def source(config: RunConfig, split: Split) -> Source:
    """The run's dialogues of one split."""
    everything = library.load()
    return Source(everything, library.queries(), config.seed, split, everything.trained)


def model(shape: Shape, special: Mapping[str, int | None]) -> Qwen3ForCausalLM:
    """A new Qwen3 of the shape, in float32."""
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
    for layer in made.model.layers:
        torch.nn.init.constant_(layer.self_attn.q_norm.weight, _SHARPNESS)
        torch.nn.init.constant_(layer.self_attn.k_norm.weight, _SHARPNESS)
    return made


def start_from(path: Path, network: Qwen3ForCausalLM, *, sha256: str) -> None:
    """Sets the weights to an earlier edition's. Where the feed-forward has grown, what is new adds nothing at first.

    Raises:
        ValueError: the file is not the one that the run names.

    """
    if (found := gguf.sha256(path)) != sha256:
        raise ValueError(f"{path}: its digest is {found}, and the run names {sha256}")
    with torch.no_grad():
        for name, old in load_file(path).items():
            new = network.get_parameter(name)
            if name.endswith("down_proj.weight"):
                new.zero_()
            new[tuple(slice(size) for size in old.shape)] = old.float()


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
    queries = query.split(sizes, 2)
    keys, values = (x.repeat_interleave(shared, 1).split(sizes, 2) for x in (key, value))
    mixed = []
    for at, block in enumerate(blocks):
        seen = [at] if block.root < 0 else [block.root, at]
        own, theirs = torch.cat([keys[i] for i in seen], 2), torch.cat([values[i] for i in seen], 2)
        mixed.append(
            functional.scaled_dot_product_attention(queries[at], own, theirs, attn_mask=block.bias, scale=scaling)
        )
    return torch.cat(mixed, 2).transpose(1, 2), None


AttentionInterface.register("tree", _attention)


class Learner:
    """The model with its optimisers, and the best score so far."""

    def __init__(self, config: RunConfig, tokenizer: Tokenizer) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.model = model(config.shape, {text: tokenizer.token_to_id(text) for text in SPECIAL})
        if config.start:
            start_from(Path(config.start) / "model.safetensors", self.model, sha256=config.start_sha256)
        named = dict(self.model.named_parameters())
        matrices = [p for name, p in named.items() if p.ndim == 2 and "embed" not in name]
        rest = [p for name, p in named.items() if p.ndim != 2 or "embed" in name]
        rate = config.learning_rate
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=rate, weight_decay=config.weight_decay),
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]
        self.best = -math.inf

    def step(self, number: int, trees: list[Tree]) -> Tensor:
        """One step; returns summed loss, hits and count of each stage, and tokens."""
        chance = torch.Generator().manual_seed(self.config.seed * 1_000_003 + number)
        config = self.config
        total, report = losses(self.model, trees, rivals=config.rivals, chance=chance, bfloat16=config.bfloat16)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.config.learning_rate * schedule(self.config, number)
            optimiser.step()
            optimiser.zero_grad()
        return report

    def keep_if_best(self, report: dict[str, float], number: int) -> None:
        """Writes the weights where the held-out score is the best so far."""
        if report["score"] > self.best:
            self.best = report["score"]
            state = {"step": number + 1, "score": self.best, "model": self.model.state_dict()}
            _write(state, self.config.folder / "best.pt")

    def save(self, path: Path, number: int) -> None:
        """Writes the state, whole or not at all."""
        state = {
            "step": number,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
        }
        _write(state, path)

    def load(self, path: Path) -> int:
        """Reads the state; returns the number of steps done."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.best = float(state["best"])
        return int(state["step"])


def _write(state: dict[str, object], path: Path) -> None:
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def schedule(config: RunConfig, number: int) -> float:
    """The share of the learning rate at a step: a warm-up, a plateau, a linear decay."""
    if number < config.warmup:
        return (number + 1) / config.warmup
    return min(1.0, max(0.02, (config.steps - number) / config.decay))


def losses(
    network: Qwen3ForCausalLM,
    trees: list[Tree],
    *,
    rivals: int = 0,
    chance: torch.Generator | None = None,
    bfloat16: bool = False,
) -> tuple[Tensor, Tensor]:
    """The weighted mean loss, and [stage: loss, right, count ...; tokens] for the log.

    With `rivals`, a token is told from that many random others and from all that are wanted in the batch, rather than
    from the whole vocabulary; the random ones count for those that were left out.
    """
    before, wanted, weight, stage = _targets(trees)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        hidden = hidden_states(network, trees, blocks_of(trees))[before]
    logits, place = _scores(network, hidden.float(), wanted, rivals=rivals, chance=chance)
    each = functional.cross_entropy(logits, place, reduction="none")
    right = logits.argmax(-1) == place
    report = torch.zeros(3 * len(STAGES) + 1, dtype=torch.float64)
    for at in range(len(STAGES)):
        mine = stage == at
        report[3 * at : 3 * at + 3] = torch.stack([each.detach()[mine].sum(), right[mine].sum(), mine.sum()])
    report[-1] = sum(len(tree.ids) for tree in trees)
    return (each * weight).sum() / weight.sum(), report


def _scores(
    network: Qwen3ForCausalLM, hidden: Tensor, wanted: Tensor, *, rivals: int, chance: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Scores of candidates, and the place of each wanted token among them."""
    table = network.lm_head.weight
    if not rivals:
        return hidden @ table.T, wanted
    drawn = torch.randint(len(table), (rivals,), generator=chance)
    candidates = torch.cat([wanted, drawn]).unique()
    stands_for = torch.full((len(table),), math.log(len(table) / rivals))
    stands_for[wanted] = 0.0
    return hidden @ table[candidates].T + stands_for[candidates], torch.searchsorted(candidates, wanted)


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
            found.append(Block(end - start, root, torch.from_numpy(bias)))
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
        columns: tuple[np.ndarray, ...] = (
            offset + tree.previous()[learnt],
            np.asarray(tree.ids)[learnt],
            weights[learnt],
            np.asarray(tree.stages)[learnt],
        )
        for column, values in zip(found, columns, strict=True):
            column.append(values)
        offset += len(tree.ids)
    return tuple(torch.from_numpy(np.concatenate(column)) for column in found)


def batches(config: RunConfig, tokenizer: Tokenizer, *, start: int) -> Iterator[list[Tree]]:
    """The trees of every step from `start` on: the same for the same seed, wherever the run was stopped."""
    dialogues = source(config, Split.TRAIN)
    grave = replace(dialogues, principles=tuple(p for p in dialogues.principles if p.level in _GRAVE))
    number = start
    while True:
        rng = random.Random(f"{config.seed}/step/{number}")
        share = config.copying_drills if number < config.copying_steps else 1
        quoted = _quoted(rng, config, (dialogues.scene(64 * number + at) for at in range(64)), share=share)
        trees = [echo(rng, scene, _statements(rng, dialogues), tokenizer) for scene in quoted]
        trees += [drill(rng, vocabulary=config.shape.vocabulary) for _ in range(config.drills * share)]
        principles = rng.choices(dialogues.library.trained, k=config.associations)
        trees += [association(rng, principle, tokenizer) for principle in principles]
        if number >= config.copying_steps:
            most, each = config.tree_tokens, config.trees + config.grafts + config.mends
            whole = iter([dialogues.dialogue(each * number + at) for at in range(each)])
            trees += [plant(next(whole), tokenizer, limit=most) for _ in range(config.trees)]
            trees += [
                plant(grave.dialogue(config.grave * number + at), tokenizer, limit=most) for at in range(config.grave)
            ]
            trees += [graft(next(whole).answers[-1], tokenizer, limit=most) for _ in range(config.grafts)]
            trees += [graft(d.answers[-1], tokenizer, limit=most, stages=("edits",)) for d in whole]
        yield trees
        number += 1


def _quoted(rng: random.Random, config: RunConfig, asked: Iterator[Scene], *, share: int) -> list[Scene]:
    """What echoes repeat: first what is rare and often wrong, a tool's answer and messages that are cut short."""
    scenes = sorted((scene for scene in asked if scene.quote), key=lambda s: not s.found and _is_whole(s))
    found = scenes[: config.echoes * share]
    at = len(found) - config.scrambles * share
    return [*found[:at], *(scrambled(rng, scene) for scene in found[at:])]


def _is_whole(asked: Scene) -> bool:
    """Whether the quote is all of the person's last message."""
    return asked.quote == asked.conversation.turns[-1].content.strip()


def _statements(rng: random.Random, dialogues: Source) -> list[str]:
    return [p.statement for p in rng.sample(dialogues.library.trained, rng.choice((0, 0, 1, 2)))]


@torch.no_grad()
def check(network: Qwen3ForCausalLM, config: RunConfig, tokenizer: Tokenizer) -> dict[str, float]:
    """Held-out words and questions: the share of quotes right to the last token, and of stages' tokens.

    `score` is the mean of quotes, drafts, verdicts and edits.
    """
    dialogues = source(config, Split.HELD_OUT)
    rng = random.Random(config.seed)
    scenes = [scene for scene in map(dialogues.scene, range(1000, 1000 + _CHECK_ECHOES)) if scene.quote]
    echoes = [echo(rng, scene, _statements(rng, dialogues), tokenizer) for scene in scenes]
    planted = [plant(dialogues.dialogue(n), tokenizer, limit=config.tree_tokens) for n in range(_CHECK_DIALOGUES)]
    shares = {"echo": _whole(network, echoes), "quote": _whole(network, planted)}
    report = torch.stack([losses(network, planted[n : n + 2])[1] for n in range(0, len(planted), 2)]).sum(0)
    for at, stage in enumerate(STAGES):
        if stage in {"draft", "verdict", "edits", "rewrite"}:
            shares[stage] = float(report[3 * at + 1] / report[3 * at + 2])
    shares["score"] = sum(shares[name] for name in ("echo", "quote", "draft", "verdict", "edits")) / 5
    return {name: round(share, 4) for name, share in shares.items()}


def _whole(network: Qwen3ForCausalLM, trees: list[Tree]) -> float:
    """The share of trees whose quote is right to its last token."""
    outcomes = []
    for tree in trees:
        before, wanted, _, stage = _targets([tree])
        mine = stage == STAGES.index("quote")
        if mine.any():
            hidden = hidden_states(network, [tree], blocks_of([tree]))[before[mine]]
            outcomes.append(bool((network.lm_head(hidden).argmax(-1) == wanted[mine]).all()))
    return sum(outcomes) / len(outcomes)


class Log:
    """Prints a line now and then, and appends it to a file."""

    def __init__(self, path: Path, *, prints: bool, every: int = 10) -> None:
        self._path, self._prints, self._every = path, prints, every
        self._sum, self._since = torch.zeros(3 * len(STAGES) + 1, dtype=torch.float64), time.monotonic()

    def train(self, number: int, report: Tensor) -> None:
        """Adds a step's report."""
        self._sum += report
        if (number + 1) % self._every == 0:
            seconds = time.monotonic() - self._since
            row: dict[str, object] = {"kind": "train", "step": number + 1, "tokens": int(self._sum[-1])}
            row["tokens_per_second"] = round(float(self._sum[-1]) / seconds)
            for at, stage in enumerate(STAGES):
                loss, right, count = (float(value) for value in self._sum[3 * at : 3 * at + 3])
                row[stage] = [round(loss / max(count, 1), 3), round(right / max(count, 1), 3)]
            self._write(row)
            self._sum, self._since = torch.zeros_like(self._sum), time.monotonic()

    def check(self, number: int, report: dict[str, float]) -> None:
        """Writes a held-out report."""
        self._write({"kind": "held_out", "step": number + 1, **report})
        self._since = time.monotonic()

    def _write(self, row: dict[str, object]) -> None:
        line = json.dumps(row)
        if self._prints:
            print(line, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
