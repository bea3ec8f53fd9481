"""MAML (Finn, Abbeel and Levine 2017), second order through any number of inner steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.attention import twice_differentiable
from fewstep.core.net import Mark, Net
from fewstep.core.rules import State, detach_state
from fewstep.core.types import Episode, Metrics, Params, Task


PROGRAM_STEPS = 5
"""Inner steps up to which the whole inner loop and its derivative are one program. To write one
takes a second or more for each step, which some hundred meta-iterations earn back."""


class Segment(NamedTuple):
    """Consecutive inner steps, and where they began."""

    rows: slice
    params: Params
    state: State
    mark: Mark
    """Of the network, whose noise and memory are to be the same on the way back."""


@dataclass(frozen=True)
class MAML:
    """The gradient of the query loss after adaptation, with respect to the initialization.

    `direction = d/dphi L_query(U^k(phi))`, through the whole inner loop (section 2, eq. 2).
    The state of the inner rule is a constant of the task: no derivative flows into it from the
    tasks before.
    """

    inner: InnerLoop
    checkpoint_steps: int | None = None
    """Inner steps whose graph is held at a time; None holds that of the whole inner loop. The same
    direction, for one more pass of the inner loop: only the parameters that each segment of this
    many steps starts from are kept, and its graph is made again on the way back."""
    needs_queries: bool = True
    replacement: bool = False

    def __post_init__(self) -> None:
        n, steps = self.checkpoint_steps, self.inner.steps
        if n is not None and n >= steps:
            raise ValueError(
                f"algorithm.checkpoint_steps={n}: must be below algorithm.inner.steps={steps}, for "
                "one segment of all steps saves no memory. Lower it, or set it to null"
            )

    @property
    def batches(self) -> int:
        return self.inner.steps

    def direction(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        if self.checkpoint_steps is not None:
            return self._direction_in_segments(net, params, state, episode, task)

        with twice_differentiable():
            if self.inner.steps > PROGRAM_STEPS:
                return _direction(net, self.inner, task, params, state, episode)
            return net.run(_direction, (self.inner, task), params, state, episode)

    def _direction_in_segments(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        """The chain rule by hand, from the query loss back over one segment after another."""
        segments, names = [], list(params)
        for first in range(0, self.inner.steps, self.checkpoint_steps):
            rows = slice(first, first + self.checkpoint_steps)
            segments.append(Segment(rows, params, state, net.mark()))
            params, state, _ = self.inner.adapt(net, params, state, episode, task, rows)
        metrics, grads = net.value_and_grad(lambda p: _query_loss(net, p, episode, task), params)
        slopes = {n: torch.zeros_like(v) for n, v in _variables(params, state).items()}
        slopes |= _variables(grads, {})
        while segments:
            slopes = self._pull_back(net, segments.pop(), slopes, episode, task)
        direction = dict(zip(names, slopes.values(), strict=False))  # the rule's state comes after
        return direction, state, metrics

    def _pull_back(
        self, net: Net, segment: Segment, slopes: dict[str, Tensor], episode: Episode, task: Task
    ) -> dict[str, Tensor]:
        """From derivatives by what a segment ends with to those by what it starts from, both
        parameters and the rule's state: a vector-Jacobian product."""
        start = (segment.params, segment.state)
        net.rewind(segment.mark)

        def along(variables: dict[str, Tensor]) -> tuple[Tensor, tuple[()]]:
            params, state = pytree.tree_map_with_path(
                lambda path, value: variables.get(pytree.keystr(path), value), start
            )
            end = self.inner.adapt(net, params, state, episode, task, segment.rows)
            ends = _variables(end.params, end.state)
            return sum((ends[name] * slope).sum() for name, slope in slopes.items()), ()

        with twice_differentiable():
            return net.value_and_grad(along, _variables(*start))[1]


def _direction(
    net: Net, inner: InnerLoop, task: Task, params: Params, state: State, episode: Episode
) -> tuple[Params, State, Metrics]:
    def outer_objective(params: Params) -> tuple[Tensor, tuple[State, Metrics]]:
        adapted = inner.adapt(net, params, state, episode, task)
        loss, metrics = _query_loss(net, adapted.params, episode, task)
        return loss, (detach_state(adapted.state), metrics)

    # A leaf of our own: adapting from it is differentiable, and its gradient is first order.
    (state, metrics), direction = net.value_and_grad(outer_objective, params)
    return direction, state, metrics


def _query_loss(net: Net, params: Params, episode: Episode, task: Task) -> tuple[Tensor, Metrics]:
    outputs = net(params, episode.query_x)
    metrics = task.metrics(outputs.detach(), episode.query_y)
    return task.outer_loss(outputs, episode.query_y).mean(), metrics


def _variables(params: Params, state: State) -> dict[str, Tensor]:
    """What derivatives are taken by, the parameters first: a counter in the state is not."""
    leaves, _ = pytree.tree_flatten_with_path((params, state))
    return {pytree.keystr(path): v for path, v in leaves if v.is_floating_point()}
