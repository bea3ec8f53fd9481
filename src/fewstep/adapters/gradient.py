"""The inner loop: the only place where parameters are adapted to a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.heads import HEADS
from fewstep.adapters.partition import check_lists, matches
from fewstep.core.fast.steps import Descent, take
from fewstep.core.net import Net
from fewstep.core.objectives import Objective, ask
from fewstep.core.problem import Problem, anew
from fewstep.core.rules import Rule
from fewstep.core.rules.learned import joined, split, without
from fewstep.core.rules.trees import own
from fewstep.core.types import Episode, Examples, Metrics, Params, Start, State


REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"mean": torch.mean, "sum": torch.sum}


class Adapted(NamedTuple):
    """Where an inner loop ended."""

    params: Params
    state: State
    metrics: Metrics
    """Of the last inner minibatch, before its step; empty after zero steps."""

    @property
    def start(self) -> Start:
        """The same as a place to go on from."""
        return Start(self.params, self.state)


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
    reset: Sequence[str] = ()
    """Those that the outer step never moves: each task starts them anew, at the network's value or
    at `extras["fresh.NAME"]`."""
    frozen: Sequence[str] = ()
    """Those that nobody moves, as if they had `requires_grad=False` in the network."""
    head: str = "trained"
    """Where a task starts the network's last linear layer: as `trained`, at `zeros`, every class at
    the `mean` of the trained ones, or at the `prototypes` of its support features."""

    def __post_init__(self) -> None:
        check_lists(self)
        for name in ("fixed", "reset", "frozen"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.head not in HEADS:
            raise ValueError(
                f"algorithm.inner.head={self.head}: must be one of {', '.join(HEADS)}. For example "
                "algorithm.inner.head=trained"
            )

    @property
    def whole(self) -> InnerLoop:
        """The same with nothing fixed."""
        return replace(self, fixed=())

    @property
    def is_plain(self) -> bool:
        """Whether a task starts at the initialization itself, with nothing learned but it, and
        ends where the last step led: the derivative of all this is the identity."""
        kind = type(self.rule)
        own = any(getattr(kind, n) is not getattr(Rule, n) for n in ("begin", "finish", "learned"))
        return not own and not self.reset and self.head == "trained"

    def adapts(self, name: str) -> bool:
        """Whether a task moves the parameter of this name."""
        return not matches(name, self.fixed)

    def start(self, problem: Problem, start: Start, episode: Episode) -> Start:
        """Where this task starts, once a task; differentiable.

        What each task starts anew, then the head, then what the rule does to begin.
        """
        if self.is_plain:
            return start
        params, learned = split(start.params)
        params = anew(params, [n for n in params if matches(n, self.reset)], episode)
        params |= HEADS[self.head](problem, params, episode)
        state = joined(start.state, learned)
        params, state = self.rule.begin(own(params), own(state), episode.key)
        return Start({**params, **learned}, without(state, learned))

    def adapt(
        self, problem: Problem, start: Start, episode: Episode, rows: slice = slice(None)
    ) -> Adapted:
        """Start the task and follow `episode.batches[rows]`, one update for each row: U^k of the
        paper (section 2).

        What goes in is never changed. The result is differentiable with respect to `start` exactly
        when that asks for gradients; zero rows return where the task starts.
        """
        return self.go_on(problem, self.start(problem, start, episode), episode, rows)

    def go_on(
        self,
        problem: Problem,
        start: Start,
        episode: Episode,
        rows: slice = slice(None),
        first_order: bool = False,
    ) -> Adapted:
        """The same from a place on the way of a task that has started. With `first_order`, the
        gradients on the way are constants where a derivative is asked for."""
        batches = episode.batches[rows]
        if not len(batches):
            return Adapted(*start, {})
        params, learned = split(start.params)
        descent = Descent(self.rule, _gradient, (self, problem.objective), first_order)
        begun, support = Start(params, joined(start.state, learned)), problem.support(episode)
        end = take(problem.net, descent, begun, support, batches)
        metrics = problem.metrics(end.outputs, support._replace(y=support.y[batches[-1]]))
        return Adapted({**end.params, **learned}, without(end.state, learned), metrics)

    def finish(self, end: Start) -> Params:
        """What predicts at a place on the way of a task."""
        params, learned = split(end.params)
        return {**self.rule.finish(params, joined(end.state, learned)), **learned}

    def step(self, start: Start, grads: Params) -> Start:
        """One update of the rule with a gradient that is at hand."""
        params, learned = split(start.params)
        params, state = self.rule.step(own(params), grads, own(joined(start.state, learned)))
        return Start({**params, **learned}, without(state, learned))

    def one_step(
        self, problem: Problem, start: Start, examples: Examples, first_order: bool
    ) -> Params:
        """Where a step on some examples leads: differentiable, and with `first_order` by all but
        its gradient."""
        at = {n: p.detach() for n, p in start.params.items()} if first_order else start.params
        return self.step(start, self.gradient(problem, at, examples)[1]).params

    def gradient(
        self, problem: Problem, params: Params, examples: Examples
    ) -> tuple[Metrics, Params]:
        """`(metrics, gradient)` of the inner objective on a minibatch: of the network's parameters
        alone, and 0 for what is fixed."""
        own, _ = split(params)
        outputs, grads = problem.net.run(_gradient, (self, problem.objective), own, examples)
        return problem.metrics(outputs, examples), grads

    def descends(self, objective: Objective, outputs: Any, examples: Examples) -> Tensor:
        """The scalar that an update descends."""
        losses = ask(objective, "inner_loss", outputs, examples.y, examples.given)
        return REDUCTIONS[self.loss](losses)


def _gradient(
    net: Net, inner: InnerLoop, objective: Objective, params: Params, examples: Examples
) -> tuple[Any, Params]:
    """`(outputs, gradient)` of the inner objective on one minibatch; 0 for what is fixed."""

    def descended(adapted: Params) -> tuple[Tensor, Any]:
        outputs = net(params | adapted, examples.x, examples.given)
        return inner.descends(objective, outputs, examples), detached(outputs)

    adapted = {name: p for name, p in params.items() if inner.adapts(name)}
    outputs, grads = net.value_and_grad(descended, adapted)
    return outputs, {n: grads[n] if n in grads else torch.zeros_like(p) for n, p in params.items()}


def detached(outputs: Any) -> Any:
    """The same values without a graph: of a tensor, or a dictionary of them."""
    return pytree.tree_map(torch.detach, outputs)
