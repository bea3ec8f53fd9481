"""The panels of a picture: accuracy during training, adaptation to unseen tasks, Figure 4."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fewstep.messages.printable import caption
from fewstep.records.style import logarithmic, numbers, unit
from fewstep.report import overlap
from fewstep.report.gather import logged
from fewstep.report.intervals import Estimate, over_seeds
from fewstep.report.table import Row


COLORS = (
    *("#2a78b5", "#e07b39", "#2f9e6e", "#c44e6c", "#8a6fc4", "#a08030", "#3fa7b8", "#b8559f"),
    *("#7a9a2f", "#7d8597"),
)
"""Told apart on white and on dark pages."""

DASHES = ("-", "--", ":", "-.")

LINES = len(COLORS) * len(DASHES)
"""Recipes that a picture can tell apart; it shows no more."""

Key = tuple[str, str]
"""What has one look in all panels: a recipe and, unless it is trained, its initialization."""

Looks = Mapping[Key, Mapping[str, Any]]

Panel = Callable[[Axes, Looks], None]
"""Fills axes."""

Line = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""x, y and half-widths."""


def key(row: Row) -> Key:
    """The key of a row's lines."""
    return row.label, "" if row["init"] == "trained" else row["init"]


def looks_of(table: Sequence[Row]) -> Looks:
    """A colour and a dash for each key, as far as they go."""
    keys = list(dict.fromkeys(key(row) for row in table))
    looks = [{"color": color, "ls": dash} for dash in DASHES for color in COLORS]
    return dict(zip(keys, looks, strict=False))


def training(table: Sequence[Row]) -> list[Panel]:
    """Meta-test and meta-validation during training, averaged over seeds."""
    return [
        panel
        for dataset in dict.fromkeys(row["dataset"] for row in table)
        for split, name in (("test", "meta-test"), ("val", "meta-validation"))
        if (panel := _during([r for r in table if r["dataset"] == dataset], split, name))
    ]


def _during(table: Sequence[Row], split: str, name: str) -> Panel | None:
    title = f"{table[0]['dataset']}: {name} during training"
    for metric in ("acc", "loss"):  # a loss is shown where there is no accuracy
        lines = {
            key(row): line
            for row in table
            if row["init"] == "trained" and (line := _logged(row, f"{split}/{metric}"))
        }
        if lines:
            return _panel(lines, metric, title, "meta-iteration")
    return None


def _logged(row: Row, metric: str) -> Line | None:
    at: dict[int, list[tuple[float, float]]] = {}
    for run in {run.content["seed"]: run for run in row.runs}.values():  # not what was repeated
        for x, value, half in logged(run, metric):
            at.setdefault(x, []).append((value, half))
    points = {x: found for x, found in sorted(at.items()) if len(found) == len(row.seeds)}
    y = [statistics.fmean(value for value, _ in found) for found in points.values()]
    half = [_half([v for v, _ in found], [h for _, h in found]) for found in points.values()]
    return (list(points), y, half) if points else None


def _half(values: Sequence[float], over_tasks: Sequence[float]) -> float:
    """Over seeds where there are several, else over tasks."""
    seeds = over_seeds(values)
    return statistics.fmean(over_tasks) if seeds is None else seeds


def adaptation(table: Sequence[Row]) -> list[Panel]:
    """Accuracy after each inner step, a panel for each setting and protocol."""
    panels: dict[str, dict[Key, Line]] = {}
    metrics: dict[str, str] = {}
    for row in table:
        for protocol, entries in row.cells.items():
            once = {entry["seed"]: entry for entry in entries}.values()
            curves = [entry["curve"] for entry in once if (entry.get("curve") or {}).get("steps")]
            place = f"{row['dataset']}: {row.setting}, {protocol}"
            if curves and len({tuple(curve["steps"]) for curve in curves}) == 1:
                metrics[place] = "acc" if "acc" in curves[0] else "loss"
                panels.setdefault(place, {})[key(row)] = _averaged(curves, metrics[place])
    return [_panel(lines, metrics[place], place, "inner step") for place, lines in panels.items()]


def _averaged(curves: Sequence[Mapping[str, Any]], metric: str) -> Line:
    values = list(zip(*(numbers(curve[metric], 1) for curve in curves), strict=True))
    halves = list(zip(*(numbers(curve[f"{metric}_ci95"], 1) for curve in curves), strict=True))
    half = [_half(v, h) for v, h in zip(values, halves, strict=True)]
    return curves[0]["steps"], [statistics.fmean(v) for v in values], half


def _panel(lines: Mapping[Key, Line], metric: str, title: str, x: str) -> Panel:
    scale = 100 if metric == "acc" else 1

    def fill(axes: Axes, looks: Looks) -> None:
        axes.set(title=caption(title), xlabel=x, ylabel=unit(metric))
        axes.margins(y=0.12)
        for name, (at, y, _) in lines.items():
            axes.plot(at, [scale * v for v in y], lw=1.6, **looks[name])
        if metric == "loss":
            logarithmic(axes)
        axes.set_ylim(axes.get_ylim())  # by the lines: the band of two seeds may leave the picture
        for name, (at, y, half) in lines.items():
            low = [scale * (v - h) for v, h in zip(y, half, strict=True)]
            high = [scale * (v + h) for v, h in zip(y, half, strict=True)]
            axes.fill_between(at, low, high, color=looks[name]["color"], alpha=0.12, lw=0)
        if x == "inner step":
            _steps(axes, {step for at, _, _ in lines.values() for step in at})
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    return fill


def _steps(axes: Axes, steps: Iterable[float]) -> None:
    ticks = sorted(set(steps) & {0, 1, 2, 5, 10, 20, 50, 100})
    axes.set_xscale("symlog")
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set_xticks([], minor=True)


def figure_four(table: Sequence[Row]) -> list[Panel]:
    """The three panels of the paper's Figure 4, where a sweep has its methods."""
    found = [(panel.title, overlap.lines(panel, table)) for panel in overlap.PANELS]
    some = [(title, lines) for title, lines in found if any(len(at) > 1 for at in lines.values())]
    return [_overlap(title, lines) for title, lines in some]


def _overlap(title: str, lines: Mapping[str, Mapping[float, Estimate]]) -> Panel:
    def fill(axes: Axes, _: Looks) -> None:
        for method, at in lines.items():
            means, half = numbers([f.mean for f in at.values()], 1), [f.wider for f in at.values()]
            look = {"color": COLORS[overlap.METHODS.index(method)], "marker": "o", "ms": 3}
            axes.errorbar(list(at), means, half, lw=1.4, label=method, **look)
        axes.set(title="the paper's Figure 4", xlabel=title, ylabel=unit("acc"))
        axes.legend(fontsize=8)

    return fill
