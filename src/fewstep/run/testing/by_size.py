"""Results of tasks that draw their own ways and shots, by these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from fewstep.core.types import EpisodeSpec, Split
from fewstep.data.classes.split import ClassSplit
from fewstep.records import measures
from fewstep.records.statistics.intervals import mean_ci95


Figures = dict[str, list[float]]


def sizes(split: Split, spec: EpisodeSpec, seed: int, tasks: int) -> Figures:
    """The `ways` of each task, and its `shots`: support images a class, on the mean."""
    assert isinstance(split, ClassSplit), "its tasks have no ways"
    found = [split.members(spec, seed, index) for index in range(tasks)]
    ways = [float(len(members.classes)) for members in found]
    return {"ways": ways, "shots": [len(m.support) / n for m, n in zip(found, ways, strict=True)]}


def by_size(own: Figures, per_task: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """`by_ways` and `by_shots` for results.json: tasks of as many ways, and of as many shots to the
    nearest whole number, each with its mean and 95 % half-width."""
    return {f"by_{name}": _groups(name, own[name], per_task) for name in ("ways", "shots")}


def _groups(
    name: str, sizes: Sequence[float], per_task: Mapping[str, Sequence[float]]
) -> list[dict[str, Any]]:
    metric = measures.metric_of(per_task)
    groups: dict[int, list[float]] = {}
    for size, value in zip(sizes, per_task[metric], strict=True):
        groups.setdefault(math.floor(size + 0.5), []).append(value)
    found = []
    for size, values in sorted(groups.items()):
        mean, half = mean_ci95(torch.tensor(values, dtype=torch.float64))
        found.append({name: size, "tasks": len(values), metric: mean, f"{metric}_ci95": half})
    return found
