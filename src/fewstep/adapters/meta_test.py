"""Meta-test of one task: adapt to it, and measure the answers in each protocol.

All protocols are measured on the same adapted parameters. Two are the paper's (section 6.1;
reference code reptile.py:125-134):

    inductive      each query alone, in one forward pass with the whole support set, so that batch
                   norm sees no other query
    transductive   all queries of the task in one forward pass, without the support set, so that
                   batch norm shares information between them

The third is ours, and what a classifier in use does:

    support        batch norm is frozen to the statistics of the support set alone, so that no
                   answer depends on another query, and one pass answers them all
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.copies import averaged, with_copies
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import by_support
from fewstep.core.frozen_norm import norms
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, EpisodeSpec, Metrics, Params, Start
from fewstep.messages.errors import ConfigError


PAPER = ("inductive", "transductive")
"""The paper's two protocols: those that are measured by default."""

CURVE_STEPS = (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200)
"""Inner steps at which the adaptation curve is measured, as far as a setting's steps go."""


@dataclass(frozen=True)
class Setting:
    """One way of testing: what a task holds and how long the inner loop runs on it."""

    spec: EpisodeSpec
    protocols: tuple[str, ...] = PAPER
    curve_steps: tuple[int, ...] = ()
    """Inner steps at which to measure, rising; the last is the setting's number of steps."""
    shift: int = 0
    """Pixels by which the copies that stand for a picture are moved at most; 0 is the picture."""

    @property
    def final(self) -> Setting:
        """The same without the curve: only the last step is measured."""
        return replace(self, curve_steps=self.curve_steps[-1:])


def curve_steps(steps: int) -> tuple[int, ...]:
    """The points of the adaptation curve of a setting that ends after `steps` updates."""
    return (*(step for step in CURVE_STEPS if step < steps), steps)


def predict(problem: Problem, params: Params, episode: Episode, protocol: str) -> Any:
    """Outputs [N*Q, ...] for the queries of a task, under a protocol; the network is in evaluation
    mode, and no answer depends on which were given before."""
    with problem.net.answering():
        return _answers(problem, params, episode, protocol)


def _answers(problem: Problem, params: Params, episode: Episode, protocol: str) -> Any:
    net, given = problem.net, problem.given(episode)
    queries, support_x = episode.query_x, episode.support_x
    if protocol == "support" and norms(net.module):
        return net.run(by_support, (), params, support_x, queries, given)
    if protocol != "inductive":  # without batch norm nobody needs the support set beside them
        return net.run(Net.__call__, (), params, queries, given)

    one = net.program(_last_output, (), (params, support_x, queries[0], given))
    if net.functional:
        return torch.func.vmap(lambda query: one(params, support_x, query, given))(queries)
    # Batch norm of one query after another: folding them into one pass measured slower on a CPU.
    answers = [one(params, support_x, query, given) for query in queries]
    return pytree.tree_map(lambda *same: torch.stack(same), *answers)


def _last_output(
    net: Net, params: Params, support_x: Tensor, query: Tensor, given: Mapping[str, Tensor]
) -> Any:
    outputs = net(params, torch.cat([support_x, query.unsqueeze(0)]), given)
    return pytree.tree_map(lambda output: output[-1], outputs)


def evaluate_task(
    net: Net,
    start: Start,
    episode: Episode,
    *,
    inner: InnerLoop,
    objective: Objective,
    setting: Setting,
) -> dict[str, Metrics]:
    """Adapt to one task and measure it: for each protocol, metrics [len(setting.curve_steps)].

    The inner rule starts from the one that training left, and what it becomes here is
    dropped with the adapted parameters (trap 3). The curve continues one adaptation from point to
    point, so that it costs its predictions alone.
    """
    problem = Problem(net, objective)
    points: dict[str, list[Metrics]] = {protocol: [] for protocol in setting.protocols}
    own, episode = episode, with_copies(episode, setting.shift)
    done, here = 0, inner.start(problem, start, episode)
    for step in setting.curve_steps:
        here = inner.go_on(problem, here, episode, slice(done, step)).start
        done, predicts = step, inner.finish(here)
        with torch.no_grad():
            for protocol, metrics in points.items():
                outputs = predict(problem, predicts, episode, protocol)
                outputs = averaged(outputs, setting.shift)
                found = problem.metrics(outputs, problem.queries(episode))
                metrics.append(found | _probed(problem, predicts, own))
    return {protocol: _along(metrics) for protocol, metrics in points.items()}


def _along(points: Sequence[Metrics]) -> Metrics:
    """Each metric's values along the curve.

    Raises:
        ConfigError: one that is not measured everywhere.
    """
    for other in points:
        if odd := sorted(map(str, other.keys() ^ points[0].keys())):
            raise ConfigError(
                f"dataset: its objective measures {odd[0]} at one point of a task and not at "
                "another. Let its metrics, and its probe, give the same names every time"
            )
    return {name: torch.stack([m[name] for m in points]) for name in points[0]}


def _probed(problem: Problem, params: Params, episode: Episode) -> Metrics:
    """What the objective measures besides, where it has a `probe(net, params, episode)`; on copies
    of the parameters, from which the task goes on."""
    probe = getattr(problem.objective, "probe", None)
    if probe is None:
        return {}
    return probe(problem.net, {name: p.clone() for name, p in params.items()}, episode)
