"""What the tasks of a meta-batch say together about the initialization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fewstep.algorithms import Algorithm
from fewstep.core.net import Net
from fewstep.core.rules import State, total_of
from fewstep.core.types import Episode, Metrics, Params, Task
from fewstep.execution import collectives
from fewstep.execution.base import Execution


def total_direction(
    execution: Execution,
    algorithm: Algorithm,
    task: Task,
    params: Params,
    state: State,
    episodes: Sequence[Episode],
) -> tuple[Params, State, Metrics]:
    """Sums of the tasks' directions and metrics, and the state that the inner rule is left in.

    All tasks start from the same parameters (trap 8); only the rule's state moves on. `episodes`
    are this rank's share of the meta-batch, the sums are over all ranks.
    """
    run, inner = partial(_outcome, algorithm=algorithm, task=task), algorithm.inner
    if inner.state == "sequential":
        found = []
        for episode in episodes:
            ((direction, state, metrics),) = execution.map(run, (params, state), [episode])
            found.append((direction, metrics))
        direction, metrics = collectives.all_reduce(total_of(found))
        return direction, state, metrics
    start = inner.rule.init(params) if inner.state == "reset" else state
    direction, added, metrics = collectives.all_reduce(
        execution.total(run, (params, start), episodes)
    )
    return direction, inner.rule.apply(start, added) if inner.state == "carry" else start, metrics


def _outcome(
    net: Net, params: Params, state: State, episode: Episode, algorithm: Algorithm, task: Task
) -> tuple[Params, State, Metrics]:
    """One task's direction, what is kept of the rule's state, and metrics."""
    direction, end, metrics = algorithm.direction(net, params, state, episode, task)
    inner, kept = algorithm.inner, end
    if inner.state == "carry":
        # What is summed over tasks is worked out here, where tasks run side by side.
        kept = inner.rule.contribution(state, end)
    elif inner.state == "reset":
        kept = {}
    return direction, kept, metrics
