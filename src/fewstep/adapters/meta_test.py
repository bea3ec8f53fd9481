"""Meta-test: adapt to unseen tasks and say how well, with an honest interval.

Both of the paper's protocols are measured on the same adapted parameters (section 6.1;
reference code reptile.py:125-134):

    inductive      each query alone, in one forward pass with the whole support set, so that batch
                   norm sees no other query
    transductive   all queries of the task in one forward pass, without the support set, so that
                   batch norm shares information between them
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.net import Net
from fewstep.core.rules import State
from fewstep.core.types import Episode, EpisodeSpec, Metrics, Params, Task


PROTOCOLS = ("inductive", "transductive")
CURVE_STEPS = (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200)
"""Inner steps at which the adaptation curve is measured, as far as a setting's steps go."""


@dataclass(frozen=True)
class Setting:
    """One way of testing: what a task holds and how long the inner loop runs on it."""

    spec: EpisodeSpec
    protocols: tuple[str, ...] = PROTOCOLS
    curve_steps: tuple[int, ...] = ()
    """Inner steps at which to measure, rising; the last is the setting's number of steps."""

    @property
    def final(self) -> Setting:
        """The same without the curve: only the last step is measured."""
        return Setting(self.spec, self.protocols, self.curve_steps[-1:])


def curve_steps(steps: int) -> tuple[int, ...]:
    """The points of the adaptation curve of a setting that ends after `steps` updates."""
    return (*(step for step in CURVE_STEPS if step < steps), steps)


def predict(net: Net, params: Params, episode: Episode, protocol: str) -> Tensor:
    """Outputs [N*Q, ...] for the queries of a task, under one of `PROTOCOLS`; the network is in
    evaluation mode, and no answer depends on which were given before."""
    with net.answering():
        return _answers(net, params, episode, protocol)


def _answers(net: Net, params: Params, episode: Episode, protocol: str) -> Tensor:
    if protocol == "transductive":
        return net.run(Net.__call__, (), params, episode.query_x)

    queries, support_x = episode.query_x, episode.support_x
    one = net.program(_last_output, (), (params, support_x, queries[0]))
    if net.functional:
        return torch.func.vmap(lambda query: one(params, support_x, query))(queries)
    # Batch norm of one query after another: folding them into one pass measured slower on a CPU.
    return torch.stack([one(params, support_x, query) for query in queries])


def _last_output(net: Net, params: Params, support_x: Tensor, query: Tensor) -> Tensor:
    return net(params, torch.cat([support_x, query.unsqueeze(0)]))[-1]


def evaluate_task(
    net: Net,
    params: Params,
    state: State,
    episode: Episode,
    *,
    inner: InnerLoop,
    task: Task,
    setting: Setting,
) -> dict[str, Metrics]:
    """Adapt to one task and measure it: for each protocol, metrics [len(setting.curve_steps)].

    The inner rule starts from `state`, the one that training left, and what it becomes here is
    dropped with the adapted parameters (trap 3). The curve continues one adaptation from point to
    point, so that it costs its predictions alone.
    """
    points: dict[str, list[Metrics]] = {protocol: [] for protocol in setting.protocols}
    done = 0
    for step in setting.curve_steps:
        if step > done:
            params, state, _ = inner.adapt(net, params, state, episode, task, slice(done, step))
            done = step
        with torch.no_grad():
            for protocol, metrics in points.items():
                outputs = predict(net, params, episode, protocol)
                metrics.append(task.metrics(outputs, episode.query_y))
    return {
        protocol: {name: torch.stack([m[name] for m in metrics]) for name in metrics[0]}
        for protocol, metrics in points.items()
    }
