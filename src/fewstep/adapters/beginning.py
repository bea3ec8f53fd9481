"""The derivative of where a task starts, for algorithms that take no other."""

from __future__ import annotations

from torch import Tensor

from fewstep.adapters.again import again
from fewstep.adapters.gradient import InnerLoop
from fewstep.core.problem import Problem
from fewstep.core.rules import inner_product
from fewstep.core.types import Episode, Params, Start


def pull_back(
    inner: InnerLoop, problem: Problem, start: Start, episode: Episode, direction: Params
) -> Params:
    """From a direction at where the task started to one at the initialization: the same wherever
    the one is the other."""
    if inner.is_plain:
        return direction

    def along(params: Params) -> tuple[Tensor, tuple[()]]:
        begun = inner.start(problem, Start(params, start.state), episode).params
        return inner_product(direction, begun), ()

    with again(problem.net, problem.net.begun):
        return problem.net.value_and_grad(along, start.params)[1]
