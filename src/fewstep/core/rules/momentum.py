"""Gradient descent with momentum and decay, both of which may be tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


Number = float | Tensor


@dataclass(frozen=True)
class MomentumDecay(Rule):
    """`S <- momentum S - lr g`, then `w <- (1 - decay) w + S`, with S = 0 where a task starts.

    As an inner rule its numbers are a configuration's; a memory inside a network (Titans, Behrouz
    et al. 2024) hands it what its gates say of a token.
    """

    lr: Number
    momentum: Number = 0.9
    decay: Number = 0.0

    def __post_init__(self) -> None:
        for name in ("momentum", "decay"):
            value = getattr(self, name)
            if isinstance(value, Tensor):
                continue
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ValueError(f"{name}={value}: must be a number from 0 to 1")

    @property
    def moves_all(self) -> str | None:
        if not isinstance(self.decay, Tensor) and not self.decay:
            return None
        return "shrinks what has no gradient too. Use algorithm.inner.options.decay=0"

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        return params, {**state, "s": {name: torch.zeros_like(p) for name, p in params.items()}}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        s = {n: self.momentum * state["s"][n] - self.lr * g for n, g in grads.items()}
        return {n: (1 - self.decay) * p + s[n] for n, p in params.items()}, {**state, "s": s}
