"""Packed rows and a reader in; a reader whose upper layers were trained on some of them out.

MiniLM reads each row once; what is trained lies above it and reads what it made of the rows.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.judge.network import COMPARED, Reader, Understood
from training.judge.pools import Packed
from training.judge.schedule import Schedule

_SMOOTHED: Final = 0.02
_NEW: Final = ("head", "hint", "weigh")  # begin from nothing, so they learn faster
# Padded tokens that are read at once: a GPU is filled, a core's cache is not left.
_READ_TOKENS: Final = {"cuda": 60_000, "cpu": 400}
_POOL: Final = 16  # batches' worth of rows that are sorted by length before they are batched
_USUAL: Final = 256  # tokens of a row
_ASKED: Final = 0.5
State = Mapping[str, Tensor]


class Texts:
    """Rows on the device, with what MiniLM makes of them in half precision."""

    def __init__(self, reader: Reader, rows: Packed, device: torch.device) -> None:
        self.device = device
        self.starts = torch.from_numpy(rows.starts).to(device)
        self.claims = torch.from_numpy(rows.claims).to(device)
        self.lengths = np.diff(rows.starts)
        self._asked = np.diff(rows.claims)
        self._ids = torch.from_numpy(rows.ids.astype(np.int32)).to(device)
        self._segments = torch.from_numpy(rows.segments).to(device)
        self._told = torch.from_numpy(rows.told.astype(np.float32)).to(device)
        count, claims, width = len(rows.ids), int(rows.claims[-1]), reader.words.embedding_dim
        self._positions = torch.zeros(count, dtype=torch.int16, device=device)
        half = torch.float16
        self._hidden = torch.zeros(count, width, dtype=half, device=device)
        self._near = torch.zeros(count, len(COMPARED), dtype=half, device=device)
        self._known = torch.zeros(count, len(COMPARED), dtype=half, device=device)
        self._local = torch.zeros(claims, 2 * len(COMPARED), dtype=torch.float32, device=device)
        self._read(reader)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, chosen: NDArray[np.int64]) -> tuple[Understood, tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
        """What MiniLM made of these rows, the rows, and how far each claim is told; below 0 where there is none."""
        at, present = self._spread(chosen, self.starts, int(self.lengths[chosen].max()))
        claim, real = self._spread(chosen, self.claims, int(self._asked[chosen].max()))
        row = (*self._row(at, present), self._wanted(real))
        near, known = self._near[at].float(), self._known[at].float()
        local = self._local[claim] * real.unsqueeze(-1)
        about = torch.zeros_like(local[..., :1])
        told = torch.where(real, self._told[claim], torch.full_like(self._told[claim], -1.0))
        return Understood(self._hidden[at].float(), near, known, local, about), row, told

    def by_length(self, tokens: int) -> Iterator[NDArray[np.int64]]:
        """All rows in batches of like length, of so many padded tokens at most."""
        order = np.argsort(-self.lengths, kind="stable")
        at = 0
        while at < len(order):
            count = max(1, tokens // int(self.lengths[order[at]]))
            yield order[at : at + count]
            at += count

    def _read(self, reader: Reader) -> None:
        with torch.inference_mode():
            for chosen in self.by_length(_READ_TOKENS[self.device.type]):
                at, present = self._spread(chosen, self.starts, int(self.lengths[chosen].max()))
                claim, real = self._spread(chosen, self.claims, int(self._asked[chosen].max()))
                segments = torch.where(present, self._segments[at].long(), -1)
                fresh = functional.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True)
                places = torch.arange(at.shape[1], device=self.device).expand_as(at)
                positions = places - torch.where(fresh, places, 0).cummax(dim=1).values
                self._positions[at[present]] = positions[present].short()
                found = reader.understand(*self._row(at, present), self._wanted(real))
                self._hidden[at[present]] = found.hidden[present].half()
                self._near[at[present]] = found.near[present].half()
                self._known[at[present]] = found.known[present].half()
                self._local[claim[real]] = found.local[real]

    def _row(self, at: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        segments = torch.where(present, self._segments[at].long(), -1)
        positions = torch.where(present, self._positions[at].long(), 0)
        return torch.where(present, self._ids[at].long(), 0), positions, segments

    def _wanted(self, real: Tensor) -> Tensor:
        return torch.arange(1, real.shape[1] + 1, device=self.device).expand_as(real)

    def _spread(self, chosen: NDArray[np.int64], starts: Tensor, most: int) -> tuple[Tensor, Tensor]:
        """Where each row's things lie, [rows, most], and which of these are its own."""
        rows = torch.from_numpy(chosen).to(self.device)
        first, last = starts[rows].unsqueeze(1), starts[rows + 1].unsqueeze(1)
        at = first + torch.arange(most, device=self.device)
        return at.clamp(max=int(starts[-1]) - 1), at < last


def train(
    reader: Reader,
    texts: Texts,
    draw: Callable[[np.random.Generator, int], NDArray[np.int64]],
    schedule: Schedule,
    *,
    seed: int,
    until: float | None = None,
    check: Callable[[int, State], None] = lambda *_: None,
    check_every: int = 0,
) -> tuple[dict[str, Tensor], int]:
    """The trained weights and the steps made; `until` (by `time.monotonic`) ends it early.

    `draw` gives so many rows. `check` is told the weights now and then.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    optimiser = _optimiser(reader)
    mean = {name: part.detach().clone() for name, part in trained(reader).items()}
    step = 0
    batches: Iterator[NDArray[np.int64]] = iter(())
    while step < schedule.steps and (until is None or time.monotonic() < until):
        chosen = next(batches, None)
        if chosen is None:
            batches = _batches(texts, draw(rng, _POOL * max(1, schedule.tokens // _USUAL)), schedule.tokens, rng)
            continue
        for group, rate in zip(optimiser.param_groups, (schedule.rate, schedule.new_rate), strict=True):
            group["lr"] = rate * schedule.share(step)
        _step(reader, optimiser, texts, chosen)
        step += 1
        kept = min(schedule.averaged, step / (step + 10))
        with torch.no_grad():
            for name, part in trained(reader).items():
                mean[name].lerp_(part, 1.0 - kept)
        if check_every and step % check_every == 0:
            check(step, mean)
    return mean, step


def trained(reader: Reader) -> dict[str, Tensor]:
    """Those weights that are trained, by name."""
    return {name: part for name, part in reader.named_parameters() if part.requires_grad}


def logits(reader: Reader, texts: Texts, chosen: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """The logit of each claim of the chosen rows, or of all, by its place; not a number for those of other rows."""
    found = np.full(int(texts.claims[-1]), np.nan, dtype=np.float32)
    wanted = set(range(len(texts))) if chosen is None else set(chosen.tolist())
    firsts = texts.claims.cpu().numpy()
    reader.eval()
    with torch.inference_mode():
        for rows in texts.by_length(_READ_TOKENS[texts.device.type] // 2):
            mine = np.array([at for at in rows.tolist() if at in wanted], dtype=np.int64)
            if len(mine) == 0:
                continue
            understood, row, told = texts.batch(mine)
            read, _ = reader.judge(understood, *row)
            for at, line, real in zip(mine, read.float().cpu().numpy(), (told >= 0).cpu().numpy(), strict=True):
                found[firsts[at] : firsts[at + 1]] = line[real]
    return found


def load(reader: Reader, state: State) -> None:
    """Put trained weights in their place."""
    with torch.no_grad():
        for name, part in trained(reader).items():
            part.copy_(state[name])


def soup(states: Sequence[State]) -> dict[str, Tensor]:
    """The mean of several runs' weights that began from the same."""
    return {name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]}


def _batches(
    texts: Texts, chosen: NDArray[np.int64], tokens: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of like length together, in any order."""
    order = chosen[np.argsort(texts.lengths[chosen], kind="stable")]
    parts: list[list[int]] = [[]]
    for at in order.tolist():
        if parts[-1] and (len(parts[-1]) + 1) * int(texts.lengths[at]) > tokens:
            parts.append([])
        parts[-1].append(at)
    return iter([np.array(parts[at]) for at in rng.permutation(len(parts))])


def _step(reader: Reader, optimiser: torch.optim.Optimizer, texts: Texts, chosen: NDArray[np.int64]) -> None:
    reader.train()
    understood, row, told = texts.batch(chosen)
    with torch.autocast(texts.device.type, dtype=torch.bfloat16):
        ids, positions, segments, wanted = row
        mine, unasked = reader.unasked(understood, ids, segments, wanted)
        # Half of the rows are told what is topic
        asked = torch.rand(len(chosen), 1, 1, device=texts.device) < _ASKED
        read = reader.weighed(understood, understood.known * asked, unasked, positions, segments, mine)
    real = (told >= 0).float()
    targets = told.clamp(min=0) * (1 - 2 * _SMOOTHED) + _SMOOTHED
    losses = functional.binary_cross_entropy_with_logits(read.float(), targets, reduction="none")
    loss = (losses * real).sum() / real.sum()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained(reader).values(), 1.0)
    optimiser.step()


def _optimiser(reader: Reader) -> torch.optim.AdamW:
    parts = trained(reader)
    groups: list[dict[str, Any]] = [
        {"params": [part for name, part in parts.items() if (name.split(".")[0] in _NEW) is new]}
        for new in (False, True)
    ]
    return torch.optim.AdamW(groups, weight_decay=0.01)
