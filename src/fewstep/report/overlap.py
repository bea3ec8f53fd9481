"""Figure 4 of the paper: accuracy where the last minibatch overlaps with those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.checks import flatten
from fewstep.report.intervals import Estimate, estimate
from fewstep.report.table import Row


METHODS = ("separate tail", "shared tail, cycle", "shared tail, replacement", "Reptile")
"""The labels of the lines."""


@dataclass(frozen=True)
class Point:
    """Where a training stands in the figure."""

    method: str
    iterations: int
    """Inner iterations with the tail, which FOMAML's `inner.steps` leaves out."""
    batch: int
    outer_lr: float
    figure: Estimate

    @property
    def full_batch(self) -> bool:
        """All 100 samples of a task; a separate tail takes half of them for itself."""
        return self.batch == (50 if self.method == "separate tail" else 100)


@dataclass(frozen=True)
class Panel:
    """One of the figure's three: what is on its axis, and which trainings are in it."""

    title: str
    x: Callable[[Point], float]
    has: Callable[[Point], bool]


PANELS = (
    Panel(
        "inner iterations (batch 25)",
        lambda p: p.iterations,
        lambda p: p.batch == 25 and p.outer_lr == 1,
    ),
    Panel(
        "inner batch size (4 iterations)",
        lambda p: p.batch,
        lambda p: p.iterations == 4 and p.outer_lr == 1,
    ),
    Panel(
        "outer step (4 iterations, full batch)",
        lambda p: p.outer_lr,
        lambda p: p.iterations == 4 and p.full_batch,
    ),
)


def points(table: Sequence[Row]) -> list[Point]:
    """The trainings of a table that are in the figure, by their labels; inductive accuracies."""
    return [point for row in table if (point := _point(row)) is not None]


def _point(row: Row) -> Point | None:
    config, entries = dict(flatten(row.runs[0].config)), row.cells.get("inductive")
    if row["label"] not in METHODS or not config or not entries:
        return None
    tail = row["label"] != "Reptile"
    return Point(
        row["label"],
        config["algorithm.inner.steps"] + tail,
        config["algorithm.inner.batch_size"],
        config["algorithm.outer.lr"],
        estimate(entries),
    )


def lines(panel: Panel, found: Sequence[Point]) -> Iterator[tuple[str, Mapping[float, Any]]]:
    """`(method, figure at each x)` for every method that has a training in the panel."""
    for method in METHODS:
        inside = [p for p in found if p.method == method and panel.has(p) and p.figure.mean]
        if inside:
            yield method, {panel.x(p): p.figure for p in sorted(inside, key=panel.x)}
