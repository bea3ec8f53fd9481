"""Gradient descent that is drawn back to where the task started."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from fewstep.core.rules.rule import State
from fewstep.core.rules.sgd import SGD
from fewstep.core.types import Params


LEAST_PULL = 0.001
"""Where a learned pull stays: below 0 it would push away, and implicit gradients divide by it."""


@dataclass(frozen=True)
class Prox(SGD):
    """`w <- w - lr (g + lam (w - w0))`, for the loss `L(w) + lam/2 |w - w0|^2`.

    The anchor `w0` is the task's own and keeps its derivative. Where a gradient is 0 from the
    start, `w` stays at its anchor.
    """

    lam: float = 1.0
    learn_lam: bool = False
    """Whether the outer step learns `lam`, from this value on; never below 0.001."""

    least = MappingProxyType({"lam": LEAST_PULL})

    def __post_init__(self) -> None:
        if self.learn_lam and not self.lam >= LEAST_PULL:
            raise ValueError(
                f"lam={self.lam}: must be at least {LEAST_PULL}, where what is learned is kept. "
                "For example lam=1.0"
            )
        if not self.lam >= 0:
            raise ValueError(f"lam={self.lam}: must be at least 0. For example lam=1.0")

    def overshoots(self, curvature: float) -> str | None:
        """By the pull alone: a loss that is no parabola bends less further on."""
        if (size := self.lr * self.lam) < 2:
            return None
        return (
            f"algorithm.inner.options.lam={self.lam}: times algorithm.inner.lr={self.lr} is "
            f"{size:.3g}, and the pull to the start overshoots it from 2 on. Use "
            f"algorithm.inner.options.lam={1 / self.lr:.3g} or less, or a lower algorithm.inner.lr"
        )

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        return params, {**state, "anchor": params}

    def learned(self, params: Params) -> Params:
        if not self.learn_lam:
            return {}
        first = next(iter(params.values()))
        return {"inner/lam": torch.full((), self.lam, dtype=first.dtype, device=first.device)}

    @property
    def learns(self) -> bool:
        return self.learn_lam

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        return super().step(params, self._drawn_back(params, grads, state), state)

    def step_(self, params: Params, grads: Params, state: State) -> None:
        super().step_(params, self._drawn_back(params, grads, state), state)

    def _drawn_back(self, params: Params, grads: Params, state: State) -> Params:
        if not self.lam and not self.learn_lam:  # gradient descent to the last digit
            return grads
        anchor, lam = state["anchor"], state.get("lam", self.lam)
        return {name: g + lam * (params[name] - anchor[name]) for name, g in grads.items()}
