"""Figure 4 of the paper: accuracy where the last minibatch overlaps with those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fewstep.report.statistics.intervals import Estimate, estimate
from fewstep.report.tables.table import Row


METHODS = ("separate tail", "shared tail, cycle", "shared tail, replacement", "Reptile")
"""The labels of the lines."""


@dataclass(frozen=True)
class Panel:
    """One of the figure's three: the part of a training's `point` that varies, and what is held."""

    title: str
    x: str
    held: Mapping[str, float]


FULL_BATCH = {"iterations": 4, "batch_size": 100}

PANELS = (
    Panel("inner iterations (batch 25)", "iterations", {"batch_size": 25, "outer_step": 1}),
    Panel("inner batch size (4 iterations)", "batch_size", {"iterations": 4, "outer_step": 1}),
    Panel("outer step (4 iterations, batch 100)", "outer_step", FULL_BATCH),
)


def lines(panel: Panel, table: Sequence[Row]) -> dict[str, dict[float, Estimate]]:
    """The accuracies at each x, by method, of the trainings that are in the panel."""
    found: dict[str, dict[float, Estimate]] = {}
    for row in table:
        point = row.runs[0].config.get("point") or {}
        inside = point and all(point.get(name) == held for name, held in panel.held.items())
        figure = estimate(next(iter(row.cells.values())))
        if row["label"] in METHODS and inside and not figure.diverged:
            found.setdefault(row["label"], {})[point[panel.x]] = figure
    return {method: dict(sorted(found[method].items())) for method in METHODS if method in found}
