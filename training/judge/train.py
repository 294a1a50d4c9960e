"""Train the small judge's network: one TOML and a folder of texts in, a resumable state and a log of losses out."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from service.entailment.packing import Row, pack, stack
from training.encoder_export import WEIGHTS, find
from training.intervals import macro_f1
from training.judge.config import JudgeRun
from training.judge.group import Group
from training.judge.mixture import Mixture
from training.judge.network import Reader, Understood, from_minilm

STATE = "state.pt"
_SMOOTHED = 0.02
_HALF = 0.5
_POOL = 24  # texts that are sorted by length before they are batched
_NEW = ("head", "hint", "weigh")  # begin from nothing, so they learn faster


@dataclass(frozen=True, slots=True)
class Text:
    """A group as the network reads it, what MiniLM makes of it (in half precision), and how far each claim is told."""

    row: Row
    understood: Understood
    told: tuple[float, ...]
    origin: str


class Batch(NamedTuple):
    """Texts of like length, padded; a label below 0 is no claim."""

    understood: Understood
    ids: Tensor
    positions: Tensor
    segments: Tensor
    wanted: Tensor
    told: Tensor


def run(config: JudgeRun, mixture: Mixture, *, progress: bool = True) -> Reader:
    """Train to the configured number of steps, from the last state where there is one."""
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    reader, tokenizer = start()
    optimiser = _optimiser(reader, config)
    config.folder.mkdir(parents=True, exist_ok=True)
    state = config.folder / STATE
    step = drawn = 0
    if state.exists():
        kept = torch.load(state, weights_only=True)
        reader.load_state_dict(kept["reader"])
        optimiser.load_state_dict(kept["optimiser"])
        step, drawn = kept["step"], kept["drawn"]
    watched = [read_text(reader, tokenizer, made, config) for made in mixture.watched(config.watched)]
    groups = (mixture.group(number, config.shares) for number in range(config.groups))
    texts = [read_text(reader, tokenizer, made, config) for made in groups]
    started, losses = time.monotonic(), []
    while step < config.steps:
        torch.manual_seed(config.seed + drawn)  # dropout after a stop is that of a run that never stopped
        pool = [texts[at] for at in _order(len(texts), drawn, config.seed)]
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


def start() -> tuple[Reader, Tokenizer]:
    """The untrained reader and its tokenizer."""
    folder = Path(find(None).location)
    reader = from_minilm(folder / WEIGHTS)
    reader.freeze()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return reader, tokenizer


def read_text(reader: Reader, tokenizer: Tokenizer, made: Group, config: JudgeRun) -> Text:
    """Let MiniLM read a group, once for all steps. An answer that is too long loses its end, and what was told there.

    Composed answers stay below the limit but for a few; their claims are left as they are.
    """
    answer = _cut(tokenizer.encode(made.answer).ids, config.answer_tokens)
    claims = [_cut(tokenizer.encode(claim.text).ids, config.claim_tokens) for claim in made.claims]
    question = _cut(tokenizer.encode(made.question).ids, config.question_tokens) if made.question else []
    row = pack(answer, claims, question)
    with torch.inference_mode():
        understood = reader.understand(
            *(torch.from_numpy(part)[None] for part in (row.ids, row.positions, row.segments))
        )
    kept = Understood(*(part[0].half().clone() for part in understood))
    return Text(row, kept, tuple(claim.told for claim in made.claims), made.origin)


def check(reader: Reader, watched: Sequence[Text]) -> dict[str, float]:
    """Loss and macro-F1 on what is held out, and macro-F1 of each source."""
    reader.eval()
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    total = count = 0.0
    with torch.inference_mode():
        for text in watched:
            *read, told = _padded([text])
            logits, _ = reader.judge(*read)
            total += functional.binary_cross_entropy_with_logits(logits, told, reduction="sum").item()
            count += told.numel()
            said = (logits[0] > 0).tolist()
            pairs.setdefault(text.origin, []).extend(
                (share > _HALF, bool(found)) for share, found in zip(text.told, said, strict=True)
            )
    reader.train()
    every = [pair for found in pairs.values() for pair in found]
    each = {f"f1_{origin}": round(macro_f1(found), 3) for origin, found in pairs.items()}
    return {"held_out_loss": total / count, "held_out_macro_f1": macro_f1(every), "held_out_claims": count, **each}


def _step(reader: Reader, optimiser: torch.optim.Optimizer, batch: Batch, config: JudgeRun, step: int) -> float:
    *read, told = batch
    reader.train()
    for part, highest in zip(optimiser.param_groups, (config.learning_rate, config.head_learning_rate), strict=True):
        part["lr"] = highest * config.rate(step)
    logits, _ = reader.judge(*read)
    real = told >= 0
    targets = told.clamp(min=0) * (1 - 2 * _SMOOTHED) + _SMOOTHED
    loss = functional.binary_cross_entropy_with_logits(logits[real], targets[real])
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
    optimiser.step()
    return loss.item()


def _order(count: int, drawn: int, seed: int) -> list[int]:
    """Which texts come next: all of them in one order, then all in another."""
    order: list[int] = []
    for turn in range(drawn // count, (drawn + _POOL) // count + 1):
        order += torch.randperm(count, generator=torch.Generator().manual_seed(seed * 1000 + turn)).tolist()
    return order[drawn % count : drawn % count + _POOL]


def _batches(pool: list[Text], tokens: int, order: torch.Generator) -> Iterator[Batch]:
    """Texts of like length together, up to so many padded tokens; the batches in any order."""
    batches: list[list[Text]] = [[]]
    for text in sorted(pool, key=lambda each: len(each.row.ids)):
        if batches[-1] and (len(batches[-1]) + 1) * len(text.row.ids) > tokens:
            batches.append([])
        batches[-1].append(text)
    for at in torch.randperm(len(batches), generator=order).tolist():
        yield _padded(batches[at])


def _padded(texts: Sequence[Text]) -> Batch:
    ids, positions, segments = (torch.from_numpy(part) for part in stack([text.row for text in texts]))
    parts = [
        pad_sequence([part.float() for part in kept], batch_first=True)
        for kept in zip(*(t.understood for t in texts), strict=True)
    ]
    most = max(len(text.told) for text in texts)
    wanted = torch.arange(1, most + 1).expand(len(texts), most)
    told = torch.full((len(texts), most), -1.0)
    for at, text in enumerate(texts):
        told[at, : len(text.told)] = torch.tensor(text.told)
    return Batch(Understood(*parts), ids, positions, segments, wanted, told)


def _optimiser(reader: Reader, config: JudgeRun) -> torch.optim.AdamW:
    head = [p for name, p in reader.named_parameters() if name.split(".")[0] in _NEW]
    body = [p for name, p in reader.named_parameters() if p.requires_grad and name.split(".")[0] not in _NEW]
    groups: list[dict[str, Any]] = [
        {"params": body, "lr": config.learning_rate},
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
