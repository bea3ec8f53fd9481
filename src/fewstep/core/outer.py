"""The outer step: which optimizer takes it, and how its learning rate falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.core.aggregate import Aggregator, Mean
from fewstep.core.rules.learned import LEARNED


Schedule = Callable[[float], float]
"""From the share of the training that is done to the share of the way to `final_lr` that is."""


def linear(done: float) -> float:
    """In a straight line (train.py:54-55)."""
    return done


def cosine(done: float) -> float:
    """Slowly at either end: half a cosine wave."""
    return (1.0 - math.cos(math.pi * done)) / 2


def warm(done: float) -> float:
    """Up from `final_lr` within the first tenth, then half a cosine wave."""
    return 1.0 - 10.0 * done if done < 0.1 else cosine((done - 0.1) / 0.9)


SCHEDULES: dict[str, Schedule] = {"linear": linear, "cosine": cosine, "warm": warm}
"""The names that `algorithm.outer.schedule` knows; it also takes the dotted path of a function."""


@dataclass(frozen=True)
class OuterStep:
    """The outer optimizer, what it is handed, and how its learning rate falls.

    The paper: plain SGD, eps falling linearly from 1 to 0, which with Reptile's direction is
    `phi <- phi + eps (mean phi~ - phi)`.
    """

    optimizer: type[torch.optim.Optimizer]
    lr: float
    final_lr: float | None = None
    """What the rate would reach at `max_meta_iterations`; None keeps it constant."""
    options: dict[str, Any] = field(default_factory=dict)
    schedule: Schedule = linear
    rates: Mapping[str, float] = field(default_factory=dict)
    """Rates of their own by pattern of parameters' names, the first that fits; they fall as `lr`
    does. What the inner rule learns is called `inner/*`, and fits none that does not begin so."""
    aggregator: Aggregator = field(default_factory=Mean)
    clip: float | None = None
    """The longest that the whole gradient may be. None: no limit."""
    clamp: float | None = None
    """What no entry of a meta-batch's direction may exceed in size. None: no limit."""
    average: float | None = None
    """The decay of a moving average of the initializations, which is what is tested; None tests the
    last of them."""

    def scale(self, meta_iteration: int, of: int) -> float:
        """`eps_i / eps_0`, with `eps_i = way final + (1 - way) initial`."""
        if self.final_lr is None:
            return 1.0
        way = self.schedule(min(meta_iteration / of, 1.0))
        return way * self.final_lr / self.lr + (1.0 - way)

    def clamped(self, direction: Tensor) -> Tensor:
        """What the optimizer is handed of a direction."""
        return direction if self.clamp is None else direction.clamp(-self.clamp, self.clamp)

    def groups(self, named: Mapping[str, nn.Parameter]) -> list[Any]:
        """What the optimizer is made of: the parameters, and apart those with rates of their own.

        Raises:
            ValueError: a pattern that no name fits, or whose names all fit earlier ones.
        """
        if not self.rates:
            return list(named.values())
        rest: list[nn.Parameter] = []
        parts: dict[str, list[nn.Parameter]] = {pattern: [] for pattern in self.rates}
        fitting = {name: [p for p in self.rates if _fits(name, p)] for name in named}
        for name, parameter in named.items():
            fits = fitting[name]
            (parts[fits[0]] if fits else rest).append(parameter)
        for pattern, parameters in parts.items():
            if parameters:
                continue
            start = f"algorithm.outer.rates.{pattern}={self.rates[pattern]}: the outer step moves "
            earlier = next((fits[0] for fits in fitting.values() if pattern in fits), None)
            if earlier:
                raise ValueError(
                    f"{start}all of that name at the rate of {earlier}, which comes first and fits "
                    f"as well. Give {pattern} before it"
                )
            raise ValueError(f"{start}nothing of that name. There are {', '.join(named)}")
        groups: list[Any] = [{"params": rest}] if rest else []
        return groups + [{"params": p, "lr": self.rates[name]} for name, p in parts.items()]


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits; what a rule learns is meant only where the pattern says so."""
    own = name.startswith(LEARNED) and not pattern.startswith(LEARNED)
    return fnmatchcase(name, pattern) and not own
