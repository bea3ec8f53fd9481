"""The inner loop: the only place where parameters are adapted to a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch import Tensor

from fewstep.core.flat import ALL, Layout
from fewstep.core.net import Net
from fewstep.core.rules import Rule, State
from fewstep.core.types import Episode, Metrics, Params, Task
from fewstep.programs.library import signature


REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"mean": torch.mean, "sum": torch.sum}


class Adapted(NamedTuple):
    """Where an inner loop ended."""

    params: Params
    state: State
    metrics: Metrics
    """Of the last inner minibatch, before its step; empty after zero steps."""


@dataclass(frozen=True)
class InnerLoop:
    """How a task is learned: `steps` updates of `rule` on minibatches of `batch_size`.

    Training, validation and test all adapt with this one object.
    """

    rule: Rule
    steps: int
    """Updates in meta-training (k); evaluation has its own number."""
    batch_size: int | None = None
    """Examples an update; None is the whole support set."""
    loss: str = "mean"
    """`mean` or `sum` over the minibatch. The authors' loss is a sum (trap 1: 0.003 on a sum over
    25 examples is 0.075 on a mean), which Adam does not feel but SGD does."""
    state: str = "carry"
    """What the rule remembers from task to task: `carry` merges the tasks of a meta-batch,
    `reset` starts each from nothing, `sequential` hands it on from task to task as the authors'
    code does, which forbids running tasks side by side."""
    fixed: Sequence[str] = ()
    """Names of parameters, or patterns of them, that no task moves: the outer step alone learns
    them, from the query loss. `["features.*"]` adapts the head alone (ANIL)."""

    def __post_init__(self) -> None:
        if isinstance(self.fixed, str) or not all(isinstance(name, str) for name in self.fixed):
            raise ValueError(
                f"algorithm.inner.fixed={self.fixed}: must be a list of parameter names or "
                "patterns. For example algorithm.inner.fixed=[features.*]"
            )
        object.__setattr__(self, "fixed", tuple(self.fixed))

    @property
    def whole(self) -> InnerLoop:
        """The same with nothing fixed."""
        return replace(self, fixed=())

    def adapts(self, name: str) -> bool:
        """Whether a task moves the parameter of this name."""
        return not any(fnmatchcase(name, pattern) for pattern in self.fixed)

    def objective(self, task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
        """The scalar that an update descends."""
        return REDUCTIONS[self.loss](task.inner_loss(outputs, targets))

    def gradient(
        self, net: Net, params: Params, x: Tensor, y: Tensor, task: Task
    ) -> tuple[Metrics, Params]:
        """`(metrics, gradient)` of the inner objective on one minibatch."""
        outputs, grads = net.run(_gradient, (self, task), params, x, y)
        return task.metrics(outputs, y), grads

    def adapt(
        self,
        net: Net,
        params: Params,
        state: State,
        episode: Episode,
        task: Task,
        rows: slice = slice(None),
    ) -> Adapted:
        """Follow `episode.batches[rows]`, one update for each row: U^k of the paper (section 2).

        What goes in is never changed, what comes out is new. The result is differentiable with
        respect to `params` exactly when they ask for gradients; zero rows return `params`.
        """
        batches = episode.batches[rows]
        several = len({p.dtype for p in params.values()}) > 1  # of which there is no one vector
        if several or any(p.requires_grad for p in params.values()):
            return self._adapt_anew(net, params, state, episode, batches, task)
        layout = Layout.of(params)
        packed = layout.packed(params), layout.pack_state(state)
        adapt = self._adapt_anew if net.functional else self._adapt_in_place
        end = adapt(net, *packed, episode, batches, task, layout)
        return Adapted(layout.unpacked(end.params), layout.unpack_state(end.state), end.metrics)

    def _adapt_in_place(
        self,
        net: Net,
        params: Params,
        state: State,
        episode: Episode,
        batches: Tensor,
        task: Task,
        layout: Layout,
    ) -> Adapted:
        """First order: every step overwrites the packed parameters and state, which are its own."""
        if not len(batches):
            return Adapted(params, state, {})
        steps = self._steps_in_place(net, params[ALL], state, episode, batches, task, layout)
        outputs, state = net.follow(steps, len(batches))
        return Adapted(params, state, task.metrics(outputs, episode.support_y[batches[-1]]))

    def _steps_in_place(
        self,
        net: Net,
        vector: Tensor,
        state: State,
        episode: Episode,
        batches: Tensor,
        task: Task,
        layout: Layout,
    ) -> Iterator[tuple[Tensor, State]]:
        """After each step, the outputs before it and the state; any thread may take the next."""
        support = episode.support_x, episode.support_y
        step, form = None, None
        for batch in batches:
            if (now := signature(state)) != form:  # a rule may remember more with each gradient
                form = now
                args = (vector, state, *support, batch)
                step = net.program(_step, (self, layout, task), args)
            outputs, state = step(vector, state, *support, batch)
            yield outputs, state

    def _adapt_anew(
        self,
        net: Net,
        params: Params,
        state: State,
        episode: Episode,
        batches: Tensor,
        task: Task,
        layout: Layout | None = None,
    ) -> Adapted:
        """Every step makes new parameters: for derivatives, and under `vmap`, which knows no
        writing into what the tasks share. All of them are packed, where there is a layout."""
        metrics: Metrics = {}
        for batch in batches:
            x, y = episode.support_x[batch], episode.support_y[batch]
            whole = layout.unpacked(params) if layout else params
            outputs, grads = _gradient(net, self, task, whole, x, y)
            grads = layout.packed(grads) if layout else grads
            params, state = self.rule.step(params, grads, state)
            metrics = task.metrics(outputs, y)
        return Adapted(params, state, metrics)


def _gradient(
    net: Net, inner: InnerLoop, task: Task, params: Params, x: Tensor, y: Tensor
) -> tuple[Tensor, Params]:
    """`(outputs, gradient)` of the inner objective on one minibatch; 0 for what is fixed."""

    def objective(adapted: Params) -> tuple[Tensor, Tensor]:
        outputs = net(params | adapted, x)
        return inner.objective(task, outputs, y), outputs.detach()

    adapted = {name: p for name, p in params.items() if inner.adapts(name)}
    outputs, grads = net.value_and_grad(objective, adapted)
    return outputs, {n: grads[n] if n in grads else torch.zeros_like(p) for n, p in params.items()}


def _step(
    net: Net,
    inner: InnerLoop,
    layout: Layout,
    task: Task,
    vector: Tensor,
    state: State,
    support_x: Tensor,
    support_y: Tensor,
    batch: Tensor,
) -> tuple[Tensor, State]:
    """One update, written into `vector`; `(outputs, state)` of the minibatch before it."""
    x, y = support_x.index_select(0, batch), support_y.index_select(0, batch)
    outputs, grads = _gradient(net, inner, task, layout.views(vector), x, y)
    inner.rule.step_({ALL: vector}, layout.packed(grads), state)
    return outputs, state
