"""What the directions of a meta-batch say together: sums that cross threads and ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Params


class Aggregator(Protocol):
    """Shaped like a rule's `contribution` and `apply`."""

    def contribution(self, direction: Params, problem: Problem, episode: Episode) -> Any:
        """What one task adds: a tree of tensors, summed over tasks and ranks. Pure."""
        ...

    def apply(self, total: Any, tasks: int) -> Params:
        """The gradient that the outer optimizer is handed, of the sum over so many tasks."""
        ...


@dataclass(frozen=True)
class Mean:
    """Every task counts alike."""

    def contribution(self, direction: Params, problem: Problem, episode: Episode) -> Params:
        return direction

    def apply(self, total: Params, tasks: int) -> Params:
        return {name: summed / tasks for name, summed in total.items()}


@dataclass(frozen=True)
class PerEntry:
    """The mean of each entry over the tasks that have it: where tasks use parts of the network.

    Which those are a network says in `held`, a method that is given what its forward takes and
    returns masks by parameter, to be broadcast. Of one that does not say, they are the tasks whose
    direction is not 0 there. What no task has stays as it is.
    """

    by_examples: bool = False
    """Whether a task counts as often as it has support examples, and not once."""

    def contribution(
        self, direction: Params, problem: Problem, episode: Episode
    ) -> dict[str, Params]:
        held = self._held(direction, problem, episode)
        weight = len(episode.support_x) if self.by_examples else 1
        weight = episode.extras.get("examples", weight) if self.by_examples else weight
        counts = {n: (weight * held[n]).to(d.dtype).expand_as(d) for n, d in direction.items()}
        return {"sum": {n: counts[n] * d for n, d in direction.items()}, "count": counts}

    def apply(self, total: dict[str, Params], tasks: int) -> Params:
        sums, counts = total["sum"], total["count"]
        return {n: torch.where(counts[n] > 0, s / counts[n], 0.0) for n, s in sums.items()}

    def _held(self, direction: Params, problem: Problem, episode: Episode) -> dict[str, Tensor]:
        module = problem.net.module
        if not hasattr(module, "held"):
            return {name: d != 0 for name, d in direction.items()}
        given = problem.given(episode)
        held: Any = module.held
        return held(**{name: given[name] for name in problem.net.takes})


AGGREGATORS: dict[str, Aggregator] = {
    "mean": Mean(),
    "per_entry": PerEntry(),
    "per_entry_by_examples": PerEntry(by_examples=True),
}
"""The names that `algorithm.outer.aggregator` knows."""
