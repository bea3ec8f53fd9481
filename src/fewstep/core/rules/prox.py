"""Gradient descent that is drawn back to where the task started."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


@dataclass(frozen=True)
class Prox(Rule):
    """`w <- w - lr (g + lam (w - w0))`, for the loss `L(w) + lam/2 |w - w0|^2`.

    The anchor `w0` is the task's own and keeps its derivative. Where a gradient is 0 from the
    start, `w` stays at its anchor.
    """

    lr: float
    lam: float = 1.0

    def __post_init__(self) -> None:
        if not self.lam >= 0:
            raise ValueError(f"lam={self.lam}: must be at least 0. For example lam=1.0")

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        return params, {**state, "anchor": params}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        anchor = state["anchor"]
        if not self.lam:  # gradient descent to the last digit
            return {name: p - self.lr * grads[name] for name, p in params.items()}, state
        return {
            n: p - self.lr * (grads[n] + self.lam * (p - anchor[n])) for n, p in params.items()
        }, state
