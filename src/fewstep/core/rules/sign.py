"""The sign of the gradient alone."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


@dataclass(frozen=True)
class Sign(Rule):
    """`w <- w - lr sign(g)`, with `sign(0) = 0`. No derivative flows through a sign, so that MAML
    is first-order MAML under it."""

    lr: float

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        return {name: p - self.lr * grads[name].sign() for name, p in params.items()}, state
