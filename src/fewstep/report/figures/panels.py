"""The panels of curves: accuracy or loss during training, adaptation to unseen tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fewstep.records import measures
from fewstep.records.figures.lines import FEW, Line
from fewstep.records.figures.panel import ITERATION, STEP, Panel
from fewstep.records.figures.style import STYLES, numbers
from fewstep.records.sizes import varies
from fewstep.records.statistics import intervals
from fewstep.report.figures.series import Look, cells, place
from fewstep.report.runs.gather import logged
from fewstep.report.statistics.intervals import over_seeds
from fewstep.report.tables.table import Entry, Row


Looks = Sequence[tuple[Row, Look]]
"""The rows of a picture, and how each looks."""

SPLITS = {"test": "meta-test", "val": "meta-validation"}


def training(table: Looks) -> list[Panel]:
    """Meta-test and meta-validation during training, which measure a run's first setting."""
    shown = [(row, look) for row, look in table if _first(row)]
    return [
        panel
        for where in dict.fromkeys(place(row) for row, _ in shown)
        for split, name in SPLITS.items()
        if (panel := _during([r for r in shown if place(r[0]) == where], split, name))
    ]


def _first(row: Row) -> bool:
    """Whether what a run measured on its way is of this row's setting."""
    first = row.runs[0].content["results"][0]
    own = row["init"] == "trained"
    alike = all(first.get(n) == row[n] for n in ("ways", "shots", "steps", "queries"))
    return own and alike and varies(first) == row["varies"]


def _during(table: Looks, split: str, name: str) -> Panel | None:
    for metric in ("acc", "loss"):  # a loss is shown where there is no accuracy
        found = ((_logged(row, f"{split}/{metric}", look), row) for row, look in table)
        lines = {id(row): line for line, row in found if line and line.finite}
        if lines:
            return _panel(table[0][0], name, ITERATION, metric, list(lines.values()))
    return None


def _panel(row: Row, name: str, x: str, metric: str, lines: Sequence[Line]) -> Panel:
    chance = row.chance if metric == "acc" else None
    y = f"{name} {measures.unit(metric, row.runs[0].content)}".strip()
    return Panel(place(row), x, y, metric, lines, chance)


def _logged(row: Row, metric: str, look: Look) -> Line | None:
    runs = {run.content["seed"]: run for run in row.runs}  # not what was repeated
    found = [{x: (v, h) for x, v, h in logged(run, metric)} for run in runs.values()]
    shared = sorted(set.intersection(*map(set, found)))
    if not shared:
        return None
    scale = 100 if metric.endswith("acc") else 1
    values = [numbers([at[x][0] for x in shared], scale) for at in found]
    over_tasks = numbers([found[0][x][1] for x in shared], scale)
    return Line(shared, values, half_widths(values, over_tasks), look)


def half_widths(seeds: Sequence[Sequence[float]], over_tasks: Sequence[float]) -> Any:
    """Of a band: over tasks for one seed, of the mean over seeds for many, and none for few."""
    if len(seeds) == 1:
        return list(over_tasks)
    if len(seeds) < FEW:
        return None
    at = list(zip(*seeds, strict=True))
    return [over_seeds(v) if all(map(math.isfinite, v)) else math.nan for v in at]


def adaptation(table: Looks) -> list[Panel]:
    """Accuracy after each inner step: a panel a setting, a line style a protocol."""
    panels: dict[str, list[Line]] = {}
    first: dict[str, Row] = {}
    for row, look in table:
        for protocol, entries in cells(row).items():
            line = _averaged(entries, row.metric, {**look, "ls": STYLES[protocol]})
            if line is not None and line.finite:
                panels.setdefault(place(row), []).append(line)
                first.setdefault(place(row), row)
    return [
        _panel(first[where], "", STEP, first[where].metric, lines)
        for where, lines in panels.items()
    ]


def _averaged(entries: Sequence[Entry], metric: str, look: Look) -> Line | None:
    curves = list(_curves(entries))
    steps = {tuple(curve["steps"]) for curve in curves}
    if len(steps) != 1:
        return None
    scale = measures.scale(metric)
    values = [numbers(curve[metric], scale) for curve in curves]
    wider = intervals.widened(curves[0].get("tasks") or intervals.FEW)
    half = half_widths(values, numbers(curves[0][f"{metric}_ci95"], scale * wider))
    return Line(curves[0]["steps"], values, half, look)


def _curves(entries: Sequence[Entry]) -> Iterator[Mapping[str, Any]]:
    """The curve of each seed that has one; there is none with eval.curve_tasks=0."""
    once = {entry["seed"]: entry for entry in entries}  # not what was repeated
    return (entry["curve"] for entry in once.values() if (entry.get("curve") or {}).get("steps"))


def protocols_of(table: Looks) -> list[str]:
    """The protocols that are line styles in the panels of adaptation."""
    present = {p for row, _ in table for p in cells(row) if row.metric == "acc"}
    several = {p for row, _ in table for p in cells(row) if len(cells(row)) > 1}
    return [p for p in STYLES if p in present | several]
