"""A rule that keeps the gradients it meets, for algorithms whose direction is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fewstep.core.rules.rule import Rule
from fewstep.core.rules.trees import State, own
from fewstep.core.types import Params


MET, SUM = "gathered/met", "gathered/sum"
"""Entries of the state: how many gradients there were, and their weighted sum."""


@dataclass(frozen=True)
class Gathered(Rule):
    """Another rule's steps, and `sum_i weights[i] g_i` of the gradients on the way.

    It is an inner rule so that an inner loop takes its steps as it takes any other's.
    """

    rule: Rule
    weights: tuple[float, ...]
    """A number for each step."""
    moves: bool = True
    """Whether parameters go where the rule leads; else its state alone meets the gradients."""

    @property
    def lr(self) -> float:  # type: ignore[override]
        return self.rule.lr

    @property
    def entrywise(self) -> bool:  # type: ignore[override]
        return self.rule.entrywise

    def gathering(self, params: Params, state: State) -> State:
        """The state of `rule`, ready to gather."""
        device = next(iter(params.values())).device
        none = torch.zeros((), dtype=torch.int64, device=device)
        return {**state, MET: none, SUM: {n: torch.zeros_like(p) for n, p in params.items()}}

    def gathered(self, state: State) -> tuple[Params, State]:
        """`(sum_i weights[i] g_i, the state of rule)` of a state at the end."""
        return state[SUM], {name: value for name, value in state.items() if name not in (MET, SUM)}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        total, kept = self.gathered(state)
        moved, kept = self.rule.step(own(params), own(grads), own(kept))
        weight = self._weight(state[MET], grads)
        total = {name: total[name] + weight * g for name, g in grads.items()}
        return moved if self.moves else params, {**kept, MET: state[MET] + 1, SUM: total}

    def step_(self, params: Params, grads: Params, state: State) -> None:
        total, kept = self.gathered(state)
        weight = self._weight(state[MET], grads)
        for name, g in grads.items():
            total[name].addcmul_(g, weight)
        led = params if self.moves else {name: p.clone() for name, p in params.items()}
        self.rule.step_(led, grads, kept)
        state[MET] += 1
        state.update(kept)

    def _weight(self, met: Tensor, grads: Params) -> Any:
        """Of the gradient at hand, looked up without reading `met`, which a program could not."""
        like = next(iter(grads.values()))
        weights = torch.tensor(self.weights, dtype=like.dtype, device=like.device)
        return weights.index_select(0, met.reshape(1)).squeeze(0)
