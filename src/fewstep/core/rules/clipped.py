"""Gradient descent whose gradient is no longer than asked for, tensor by tensor."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


@dataclass(frozen=True)
class ClippedSGD(Rule):
    """`w <- w - lr g min(1, clip / |g|)`, with the norm of each tensor by itself."""

    lr: float
    clip: float = 1.0

    entrywise = False

    def __post_init__(self) -> None:
        if not self.clip > 0:
            raise ValueError(f"clip={self.clip}: must be above 0. For example clip=1.0")

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        scales = {n: (self.clip / (g.norm() + 1e-12)).clamp(max=1.0) for n, g in grads.items()}
        return {n: p - self.lr * scales[n] * grads[n] for n, p in params.items()}, state
