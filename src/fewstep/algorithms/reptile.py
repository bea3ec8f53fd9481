"""Reptile (Nichol, Achiam and Schulman 2018, algorithms 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import refuse_fixed
from fewstep.core.net import Net
from fewstep.core.rules import State
from fewstep.core.types import Episode, Metrics, Params, Task


@dataclass(frozen=True)
class Reptile:
    """Learn the task; the way from where that ended back to the start is the gradient.

    `direction = phi - phi~`, with `phi~ = U^k(phi)`: an outer SGD with learning rate eps then does
    `phi <- phi + eps (phi~ - phi)`. One task a meta-batch is the paper's serial algorithm 1, more
    are its batched algorithm 2. No query set is read.
    """

    inner: InnerLoop
    needs_queries: bool = False
    replacement: bool = False

    def __post_init__(self) -> None:
        refuse_fixed(self.inner, "Reptile")

    @property
    def batches(self) -> int:
        return self.inner.steps

    def direction(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        adapted = self.inner.adapt(net, params, state, episode, task)
        direction = {name: p - adapted.params[name] for name, p in params.items()}
        return direction, adapted.state, adapted.metrics
