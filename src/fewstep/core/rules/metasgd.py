"""A learning rate for each entry of the parameters, learned with them (Li et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


@dataclass(frozen=True)
class MetaSGD(Rule):
    """`w <- w - a * g`, with `a` of the shape of `w`, all of whose entries start at `lr`."""

    lr: float

    lasts = False

    def learned(self, params: Params) -> Params:
        return {f"inner/lr/{name}": torch.full_like(p, self.lr) for name, p in params.items()}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        return {name: p - state["lr"][name] * grads[name] for name, p in params.items()}, state
