"""Muon in float32: momentum whose steps are made near-orthogonal, for matrices.

PyTorch's own runs its Newton-Schulz iterations in bfloat16, which a CPU without such instructions does eight times
slower; and matrices of one shape are taken together here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# Amsel et al. (2025): odd quintics that, one after the other, bring every singular value near 1 the soonest.
_QUINTICS = (
    (8.2872, -23.5959, 17.3004),
    (4.1071, -2.9478, 0.5448),
    (3.9487, -2.9089, 0.5518),
    (3.3184, -2.4885, 0.5100),
)
# Liu et al. (2025): with this the step is as large as AdamW's.
_MATCHES_ADAMW = 0.2


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay."""

    def __init__(self, params: Iterable[Tensor], *, lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step on the gradients as they are."""
        assert closure is None  # noqa: S101 - the base class's signature; nothing here evaluates a loss
        for group in self.param_groups:
            alike: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                alike[parameter.shape].append(parameter)
            for parameters in alike.values():
                self._move(parameters, group)

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        moves = []
        for parameter in parameters:
            if parameter.grad is None:
                raise ValueError("a matrix has no gradient")
            state = self.state[parameter]
            held = state.setdefault("momentum", torch.zeros_like(parameter))
            held.lerp_(parameter.grad, 1 - group["momentum"])
            moves.append(parameter.grad.lerp(held, group["momentum"]))
        scale = group["lr"] * _MATCHES_ADAMW * max(parameters[0].shape) ** 0.5
        for parameter, move in zip(parameters, orthogonal(torch.stack(moves)), strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(move, alpha=-scale)


def orthogonal(matrices: Tensor) -> Tensor:
    """[count, rows, columns]: each matrix with its singular values brought near 1."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / (1.01 * x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for a, b, c in _QUINTICS:
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT
