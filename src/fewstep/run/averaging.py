"""A moving average of the initializations that the outer step goes through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fewstep.core.rules.learned import LEARNED
from fewstep.core.types import Params


NETWORK, RULE = "module.", "learned."
"""How a checkpoint calls what is the network's, and what the inner rule has learned."""


class Average:
    """`a <- d a + (1 - d) phi` after every outer step, with `d` at most (1 + i) / (10 + i) after i
    of them (the warm-up of TensorFlow's `ExponentialMovingAverage`), so that it does not begin with
    the random initialization.

    Meta-validation and meta-test start from it; training goes on from phi.
    """

    def __init__(self, decay: float | None) -> None:
        """`decay`: None keeps no average."""
        self.decay = decay
        self.steps = 0
        self.params: Params = {}

    def update(self, params: Params) -> None:
        """Take in what the outer step has come to."""
        if self.decay is None:
            return
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        if not self.params:
            self.params = {name: p.clone() for name, p in params.items()}
            return
        self.params = self.of(params)  # which a checkpoint may have brought to another device
        torch._foreach_lerp_(list(self.params.values()), list(params.values()), weight)

    def of(self, params: Params) -> Params:
        """What to test: the average where there is one, else what is given."""
        return {n: self.params[n].to(p) for n, p in params.items()} if self.params else params

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"steps": self.steps, "params": self.params}

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """From a checkpoint, which may have none."""
        state = state or {"steps": 0, "params": {}}
        self.steps = state["steps"]
        self.params = {name: p.clone() for name, p in state["params"].items()}


def averaged(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """A checkpoint's tensors, by the names of its `state_dict`, as they are tested."""
    tensors = dict(content["state_dict"])
    average = content["fewstep"].get("average") or {"params": {}}
    return tensors | {_place(name): value for name, value in average["params"].items()}


def _place(name: str) -> str:
    """Where a learner keeps an entry of this name."""
    own = name.startswith(LEARNED)
    return f"{RULE}{name.replace('.', ':')}" if own else f"{NETWORK}{name}"


def complaint(average: Any, tensors: Mapping[str, Any]) -> str | None:
    """What is wrong with a checkpoint's average of these tensors, or None."""
    if average is None:
        return None
    if not isinstance(average, Mapping) or not isinstance(average.get("params"), Mapping):
        return "fewstep.average must hold the average of the initializations"
    steps = average.get("steps")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        return f"fewstep.average.steps={steps!r}: must be a whole number of at least 0"
    for name, value in average["params"].items():
        own = tensors.get(_place(name)) if isinstance(name, str) else None
        if not isinstance(own, Tensor) or not isinstance(value, Tensor) or value.shape != own.shape:
            return f"fewstep.average.params.{name}: must be a tensor as its network has it"
    return None
