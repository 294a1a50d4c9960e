"""Train the small judge's network: one TOML and a folder of texts in, a resumable state and a log of losses out."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from service.entailment.packing import Row, pack, stack
from training.encoder_export import WEIGHTS, find
from training.intervals import macro_f1
from training.judge.config import JudgeRun
from training.judge.group import Group
from training.judge.mixture import Mixture
from training.judge.network import Reader, from_minilm

STATE = "state.pt"
_SMOOTHED = 0.02
_POOL = 24  # groups that are sorted by length before they are batched
_NEW = ("head", "hint", "weigh")  # begin from nothing, so they learn faster
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def run(config: JudgeRun, mixture: Mixture, *, progress: bool = True) -> Reader:
    """Train to the configured number of steps, from the last state where there is one."""
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    reader, tokenizer = start(config)
    optimiser = _optimiser(reader, config)
    config.folder.mkdir(parents=True, exist_ok=True)
    state = config.folder / STATE
    step = drawn = 0
    if state.exists():
        kept = torch.load(state, weights_only=True)
        reader.load_state_dict(kept["reader"])
        optimiser.load_state_dict(kept["optimiser"])
        step, drawn = kept["step"], kept["drawn"]
    watched = [(g.origin, *rows_of(tokenizer, g, config)) for g in mixture.watched(config.watched)]
    started, losses = time.monotonic(), []
    while step < config.steps:
        shares = config.at(step)[0].shares
        pool = [rows_of(tokenizer, mixture.group(drawn + at, shares), config) for at in range(_POOL)]
        drawn += _POOL
        for batch in _batches(pool, config.tokens, torch.Generator().manual_seed(drawn)):
            losses.append(_step(reader, optimiser, batch, config, step))
            step += 1
            if step % config.check_every == 0:
                found = {"step": step, "loss": sum(losses) / len(losses), **check(reader, watched)}
                _log(config, found | {"minutes": round((time.monotonic() - started) / 60, 1)}, progress=progress)
                losses = []
        whole = {"reader": reader.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "drawn": drawn}
        _save(state, whole)
    return reader.eval()


def start(config: JudgeRun) -> tuple[Reader, Tokenizer]:
    """The untrained reader and its tokenizer."""
    folder = Path(find(None).location)
    reader = from_minilm(folder / WEIGHTS)
    reader.freeze(config.frozen)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return reader, tokenizer


def rows_of(tokenizer: Tokenizer, made: Group, config: JudgeRun) -> tuple[Row, list[bool]]:
    """The packed row and its labels. An answer that is too long loses its end, and with it what was told there.

    Composed answers stay below the limit but for a few; their claims are left as they are.
    """
    answer = _cut(tokenizer.encode(made.answer).ids, config.answer_tokens)
    claims = [_cut(tokenizer.encode(claim.text).ids, config.claim_tokens) for claim in made.claims]
    return pack(answer, claims), [claim.told for claim in made.claims]


def check(reader: Reader, watched: Sequence[tuple[str, Row, list[bool]]]) -> dict[str, float]:
    """Loss and macro-F1 on what is held out, and macro-F1 of each source."""
    reader.eval()
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    total = count = 0.0
    with torch.inference_mode():
        for origin, row, told in watched:
            ids, positions, segments, wanted, labels = _tensors([(row, told)])
            logits, _ = reader(ids, positions, segments, wanted)
            total += functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum").item()
            count += labels.numel()
            said = (logits[0] > 0).tolist()
            pairs.setdefault(origin, []).extend((a, bool(b)) for a, b in zip(told, said, strict=True))
    reader.train()
    every = [pair for found in pairs.values() for pair in found]
    each = {f"f1_{origin}": round(macro_f1(found), 3) for origin, found in pairs.items()}
    return {"held_out_loss": total / count, "held_out_macro_f1": macro_f1(every), "held_out_claims": count, **each}


def _step(reader: Reader, optimiser: torch.optim.Optimizer, batch: Batch, config: JudgeRun, step: int) -> float:
    ids, positions, segments, wanted, labels = batch
    reader.train()
    stage, number = config.at(step)
    for part, highest in zip(optimiser.param_groups, (stage.learning_rate, config.head_learning_rate), strict=True):
        part["lr"] = highest * stage.rate(number)
    logits, _ = reader(ids, positions, segments, wanted)
    real = labels >= 0
    targets = labels.clamp(min=0) * (1 - 2 * _SMOOTHED) + _SMOOTHED
    loss = functional.binary_cross_entropy_with_logits(logits[real], targets[real])
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
    optimiser.step()
    return loss.item()


def _batches(pool: list[tuple[Row, list[bool]]], tokens: int, order: torch.Generator) -> Iterator[Batch]:
    """Rows of like length together, up to so many padded tokens; the batches in any order."""
    batches: list[list[tuple[Row, list[bool]]]] = [[]]
    for row in sorted(pool, key=lambda r: len(r[0].ids)):
        if batches[-1] and (len(batches[-1]) + 1) * len(row[0].ids) > tokens:
            batches.append([])
        batches[-1].append(row)
    for at in torch.randperm(len(batches), generator=order).tolist():
        yield _tensors(batches[at])


def _tensors(rows: Sequence[tuple[Row, list[bool]]]) -> Batch:
    ids, positions, segments = (torch.from_numpy(part) for part in stack([row for row, _ in rows]))
    most = max(len(labels) for _, labels in rows)
    wanted = torch.arange(1, most + 1).expand(len(rows), most)
    labels = torch.full((len(rows), most), -1.0)
    for at, (_, told) in enumerate(rows):
        labels[at, : len(told)] = torch.tensor(told, dtype=torch.float32)
    return ids, positions, segments, wanted, labels


def _optimiser(reader: Reader, config: JudgeRun) -> torch.optim.AdamW:
    head = [p for name, p in reader.named_parameters() if name.split(".")[0] in _NEW]
    body = [p for name, p in reader.named_parameters() if p.requires_grad and name.split(".")[0] not in _NEW]
    groups: list[dict[str, Any]] = [
        {"params": body, "lr": config.stages[0].learning_rate},
        {"params": head, "lr": config.head_learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay)


def _cut(ids: list[int], most: int) -> list[int]:
    return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]


def _log(config: JudgeRun, found: dict[str, float], *, progress: bool) -> None:
    with (config.folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")
    if progress:
        print(" ".join(f"{k} {v:.4g}" for k, v in found.items()), flush=True)


def _save(path: Path, state: dict[str, Any]) -> None:
    """Replaces the last state whole: a run that is killed while saving keeps the one before."""
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)
