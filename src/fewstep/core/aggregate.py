"""What the directions of a meta-batch say together: sums that cross threads and ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from fewstep.core.types import Episode, Params


class Aggregator(Protocol):
    """Shaped like a rule's `contribution` and `apply`."""

    def contribution(self, direction: Params, episode: Episode) -> Any:
        """What one task adds: a tree of tensors, summed over tasks and ranks. Pure."""
        ...

    def apply(self, total: Any, tasks: int) -> Params:
        """The gradient that the outer optimizer is handed, of the sum over so many tasks."""
        ...


@dataclass(frozen=True)
class Mean:
    """Every task counts alike."""

    def contribution(self, direction: Params, episode: Episode) -> Params:
        return direction

    def apply(self, total: Params, tasks: int) -> Params:
        return {name: summed / tasks for name, summed in total.items()}


@dataclass(frozen=True)
class PerEntry:
    """The mean of each entry over the tasks that say anything of it, whose direction is not 0:
    where tasks use parts of the network alone."""

    def contribution(self, direction: Params, episode: Episode) -> dict[str, Params]:
        counts = {name: (d != 0).to(d.dtype) for name, d in direction.items()}
        return {"sum": direction, "count": counts}

    def apply(self, total: dict[str, Params], tasks: int) -> Params:
        sums, counts = total["sum"], total["count"]
        return {n: torch.where(counts[n] > 0, s / counts[n], 0.0) for n, s in sums.items()}
