"""Plain gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


@dataclass(frozen=True)
class SGD(Rule):
    """`w <- w - lr g`."""

    lr: float

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        return {name: p - self.lr * grads[name] for name, p in params.items()}, state

    def step_(self, params: Params, grads: Params, state: State) -> None:
        for name, p in params.items():
            p.add_(grads[name], alpha=-self.lr)
