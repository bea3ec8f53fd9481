"""Meta-test: adapt to unseen tasks and say how well, with an honest interval.

Both of the paper's protocols are measured on the same adapted parameters (section 6.1;
reference code reptile.py:125-134):

    inductive      each query alone, in one forward pass with the whole support set, so that batch
                   norm sees no other query
    transductive   all queries of the task in one forward pass, without the support set, so that
                   batch norm shares information between them
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fewstep.inner import InnerLoop
from fewstep.net import Net
from fewstep.rules import State
from fewstep.types import Episode, EpisodeSpec, Metrics, Params, Task


PROTOCOLS = ("inductive", "transductive")
CURVE_STEPS = (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200)
"""Inner steps at which the adaptation curve is measured, as far as a setting's steps go."""

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


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


def mean_ci95(values: Tensor) -> tuple[float, float]:
    """Mean over tasks and the half-width of its 95 % interval, 1.96 std / sqrt(tasks).

    `values` [tasks]; the population standard deviation, as in the field's tables. One task has no
    spread: its half-width is not a number.
    """
    values = values.double()
    if len(values) < 2:
        return float(values.mean()), float("nan")
    half_width = Z95 * values.std(correction=0) / len(values) ** 0.5
    return float(values.mean()), float(half_width)


def summarize(per_task: Sequence[dict[str, Metrics]], protocol: str, steps: Sequence[int]) -> dict:
    """One result record's numbers from the tasks of a setting, in task order.

    Tasks measured along the whole curve come first; the others have the last step alone, which
    is why the curve may rest on fewer tasks than the final figure, or be empty.
    """
    record: dict = {}
    names = per_task[0][protocol]
    final = {n: torch.stack([t[protocol][n][-1] for t in per_task]) for n in names}
    whole = [t[protocol] for t in per_task if len(t[protocol]["loss"]) == len(steps)]
    at = range(len(steps) if whole else 0)
    curve: dict = {"steps": [steps[i] for i in at], "tasks": len(whole)}
    # A record says accuracy where there is one; a regression says its loss with an interval.
    headline = "acc" if "acc" in final else "loss"
    for name, values in final.items():
        mean, half_width = mean_ci95(values)
        record[name] = mean
        points = [mean_ci95(torch.stack([t[name][i] for t in whole])) for i in at]
        if name == headline:
            record[f"{name}_ci95"] = half_width
            curve[name] = [point[0] for point in points]
            curve[f"{name}_ci95"] = [point[1] for point in points]
    return {**record, "curve": curve}


def records(per_task: Sequence[dict[str, Metrics]], setting: Setting) -> list[dict]:
    """What a setting's tasks say in each protocol, with the final figures of every task."""
    found = []
    for protocol in setting.protocols:
        numbers = summarize(per_task, protocol, setting.curve_steps)
        names = per_task[0][protocol]
        final = {n: [float(t[protocol][n][-1]) for t in per_task] for n in names}
        found.append({"setting": setting, "protocol": protocol, "per_task": final, **numbers})
    return found


def finite(*values: float | None) -> bool:
    """Whether none of the values is missing, infinite or not a number, as after a divergence."""
    return all(value is not None and math.isfinite(value) for value in values)


def show(figures: Mapping[str, Any]) -> str:
    """`95.39 ± 0.09 %`, a loss where there is no accuracy, or that the run diverged."""
    metric = "acc" if "acc" in figures else "loss"
    if not finite(figures[metric], figures[f"{metric}_ci95"]):
        return "diverged"
    if metric == "loss":
        return f"{figures['loss']:.4g} ± {figures['loss_ci95']:.2g}"
    lost = "" if finite(figures.get("loss", 0.0)) else " (diverged)"
    return f"{100 * figures['acc']:.2f} ± {100 * figures['acc_ci95']:.2f} %{lost}"
