"""A learned rate for each tensor and each step (MAML++, Antoniou, Edwards and Storkey 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


@dataclass(frozen=True)
class LSLR(Rule):
    """`w <- w - a[k] g` in step k of the task, with rates `a` [steps] for each tensor, all of which
    start at `lr`. There is no rate for a step that training does not take."""

    lr: float
    steps: int
    """Of training: how many rates there are for each tensor."""

    entrywise = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(
                f"steps={self.steps}: must be at least 1, as many as training takes. For example "
                "steps=${algorithm.inner.steps}"
            )

    def learned(self, params: Params) -> Params:
        return {
            f"inner/lr/{name}": torch.full((self.steps,), self.lr, dtype=p.dtype, device=p.device)
            for name, p in params.items()
        }

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        first = next(iter(params.values()))
        return params, {**state, "k": torch.zeros((), dtype=torch.int64, device=first.device)}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        k, rates = state["k"], state["lr"]
        moved = {name: p - rates[name].take(k) * grads[name] for name, p in params.items()}
        return moved, {**state, "k": k + 1}

    @property
    def most_steps(self) -> int:
        return self.steps
