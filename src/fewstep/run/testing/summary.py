"""What the tasks of a setting say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.meta_test import Setting
from fewstep.messages.errors import ConfigError
from fewstep.records import measures
from fewstep.records.statistics.intervals import mean_ci95


Figures = Mapping[str, Sequence[float]]
"""Metrics of a task by their names, a number for each point of the curve."""


def as_numbers(outcomes: Any) -> Any:
    """The same tree with lists of Python's numbers in the place of its tensors, read at once.

    Outcomes stay until a test is over. A small tensor of each task, kept where the C library has
    just freed a large one, leaves a hole in which the next large one has no room, and memory grows
    by it with every task: to 24 GB in a test of three times 10,000 tasks, those of 20 ways last.
    """
    tensors, tree = pytree.tree_flatten(outcomes)
    numbers = iter(torch.cat([tensor.flatten() for tensor in tensors]).tolist())
    return pytree.tree_unflatten([[next(numbers) for _ in tensor] for tensor in tensors], tree)


def summarize(per_task: Sequence[dict[str, Figures]], protocol: str, steps: Sequence[int]) -> dict:
    """One result record's numbers from the tasks of a setting, in task order.

    Tasks measured along the whole curve come first; the others have the last step alone, which
    is why the curve may rest on fewer tasks than the final figure, or be empty.

    Raises:
        ConfigError: a metric that not every task has.
    """
    record: dict = {}
    names = per_task[0][protocol]
    _check_names(t[protocol] for t in per_task)
    final = {n: _tensor(t[protocol][n][-1] for t in per_task) for n in names}
    whole = [t[protocol] for t in per_task if len(t[protocol]["loss"]) == len(steps)]
    at = range(len(steps) if whole else 0)
    curve: dict = {"steps": [steps[i] for i in at], "tasks": len(whole)}
    # A record says accuracy where there is one; a regression says its loss with an interval.
    headline = measures.metric_of(final)
    for name, values in final.items():
        mean, half_width = mean_ci95(values)
        record[name] = mean
        points = [mean_ci95(_tensor(t[name][i] for t in whole)) for i in at]
        if name == headline:
            record[f"{name}_ci95"] = half_width
            curve[name] = [point[0] for point in points]
            curve[f"{name}_ci95"] = [point[1] for point in points]
    return {**record, "curve": curve}


def records(per_task: Sequence[dict[str, Figures]], setting: Setting) -> list[dict]:
    """What a setting's tasks say in each protocol, with the final figures of every task."""
    found = []
    for protocol in setting.protocols:
        numbers = summarize(per_task, protocol, setting.curve_steps)
        names = per_task[0][protocol]
        final = {n: [float(t[protocol][n][-1]) for t in per_task] for n in names}
        found.append({"setting": setting, "protocol": protocol, "per_task": final, **numbers})
    return found


def _check_names(tasks: Iterable[Figures]) -> None:
    """Refuse what is measured in some tasks alone: means are over all of them."""
    first, *others = tasks
    for other in others:
        if odd := sorted(other.keys() ^ first.keys()):
            raise ConfigError(
                f"dataset: its objective measures {odd[0]} in one task and not in another, and "
                "results are means over all. Let its metrics, and its probe, give the same names "
                "in every task"
            )


def _tensor(numbers: Iterable[float]) -> Tensor:
    """Of what float32 and float64 hold alike."""
    return torch.tensor([float(number) for number in numbers], dtype=torch.float64)
