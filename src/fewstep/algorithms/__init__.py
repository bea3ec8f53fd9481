"""The algorithms: what one task says about the initialization. One file each."""

from __future__ import annotations

from typing import Protocol

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.net import Net
from fewstep.core.rules import State
from fewstep.core.types import Episode, Metrics, Params, Task


def refuse_fixed(inner: InnerLoop, algorithm: str) -> None:
    """Raise ValueError, for an algorithm that learns from what its tasks adapt alone."""
    if inner.fixed:
        raise ValueError(
            f"algorithm.inner.fixed=[{','.join(inner.fixed)}]: {algorithm} learns nothing but "
            "what its tasks adapt, so these would keep their random values. Use "
            "algorithm.inner.fixed=[], or algorithm=maml or fomaml"
        )


class Algorithm(Protocol):
    """A small object with fields and one rule. To add one, write a class with these members in a
    file of its own and a YAML that names it: nothing else knows the list of algorithms."""

    inner: InnerLoop

    @property
    def batches(self) -> int:
        """Inner minibatches that an episode must hold."""
        ...

    @property
    def replacement(self) -> bool:
        """Whether each minibatch is drawn on its own (see `EpisodeSpec.replacement`)."""
        ...

    @property
    def needs_queries(self) -> bool:
        """Whether training reads the query set at all."""
        ...

    def direction(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        """What one task hands the outer optimizer as the gradient, the state of the inner rule
        that it leaves behind, and scalars to log.

        Pure: nothing that goes in is changed, nothing random happens inside, no other task or
        device is known, so it may run in a thread, under `vmap` or on another machine. Nor is a
        thread's mode, as `torch.no_grad()`, set around `inner.adapt`, which another may end.
        """
        ...
