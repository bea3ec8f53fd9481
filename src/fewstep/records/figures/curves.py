"""curves.png of a run: how it trained, and how its initialization adapts to unseen tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fewstep.disk.files import replacing
from fewstep.records import measures, words
from fewstep.records.figures import fonts, layout, learned
from fewstep.records.figures.lines import Line
from fewstep.records.figures.panel import (
    ITERATION,
    STEP,
    Labelled,
    Look,
    Panel,
    handle,
    notes,
    of_lines,
)
from fewstep.records.figures.style import NEUTRAL, STYLE, STYLES, apart, numbers
from fewstep.records.metrics import read_metrics
from fewstep.records.sizes import chance, varies
from fewstep.records.trained_on import trained_on


SIZE = (4.6, 3.8)
"""Inches of a panel."""


def draw_curves(folder: Path, report: Mapping[str, Any], title: str | None = None) -> Path:
    """curves.png in a run's folder, by what its results.json says and its metrics.csv."""
    path = folder / "curves.png"
    with fonts.drawing(), plt.rc_context(STYLE), replacing(path) as aside:
        figure_of(folder, report, title).savefig(aside, format="png")
    return path


def figure_of(folder: Path, report: Mapping[str, Any], title: str | None = None) -> Figure:
    """What curves.png shows, by default under the words for its algorithm, data and seed.

    Training on the left, beside it what the inner rule learned, then a panel for each setting that
    was tested: only what there is. An evaluation without curves shows its final figures, as curves
    of one point.
    """
    metrics = folder / "metrics.csv"
    rows = read_metrics(metrics)[1] if metrics.exists() else []
    known = apart([report["algorithm"], *(_named(r, report) for r in report["results"])])
    values = learned.panels(rows, {look["color"] for look in known.values()})
    found = [*_training(rows, report, known), *values, *_settings(report, known)]
    panels = [panel for panel, _ in found]
    classes = "acc" in report["results"][0]  # a regression's protocols are one
    protocols = dict.fromkeys(r["protocol"] for r in report["results"] if classes)
    looks = {label: look for _, labels in found for label, look in labels.items()}
    lines = [line for panel in panels for line in panel.lines]
    handles = [handle(label, of_lines(look, lines)) for label, look in looks.items()]
    handles += notes(panels, protocols) if panels else []
    title = title or words.run(report["algorithm"], report["dataset"], report["seed"])
    legend = layout.legend(handles, SIZE[0] * max(min(len(panels), 3), 1))
    size = SIZE if panels else (SIZE[0], 0.8)
    figure, grid = layout.panels(len(panels), 3, size, legend)
    says = title if panels else f"{title}: diverged"
    figure.suptitle(layout.wrapped(says, figure.get_figwidth() - 0.4, 13), fontsize=13)
    for axes, panel in zip(grid, panels, strict=True):
        panel.fill(axes, SIZE)
    return figure


def _training(
    rows: Sequence[Mapping[str, Any]], report: Mapping[str, Any], known: Mapping[str, Look]
) -> Iterator[Labelled]:
    """What was logged of training tasks and measured on the others, if anything was."""
    metric = "acc" if any("train/acc" in row for row in rows) else "loss"
    own = {"color": known[report["algorithm"]]["color"], "ms": 5}
    recipe = (report.get("config") or {}).get("algorithm") or {}
    labels = {
        "train": (trained_on(recipe), {"color": NEUTRAL, "lw": 0.9}),
        "val": ("meta-validation", {**own, "marker": "."}),
        "test": ("meta-test (not selected by)", {**own, "marker": "x"}),
    }
    lines = {name: _logged(rows, name, metric, look) for name, (_, look) in labels.items()}
    shown = {name: line for name, line in lines.items() if line.finite}
    if not shown:
        return
    first = report["results"][0]
    title = words.setting(first["ways"], first["shots"], metric, varies(first))
    panel = Panel(
        f"{title}, during training" if {"val", "test"} & set(shown) else "during training",
        ITERATION,
        measures.unit(metric, report),
        metric,
        list(shown.values()),
        _chance(first) if metric == "acc" else None,
    )
    yield panel, dict(labels[name] for name in shown)


def _logged(rows: Sequence[Mapping[str, Any]], split: str, metric: str, look: Look) -> Line:
    name, factor = f"{split}/{metric}", measures.scale(metric)
    points = [row for row in rows if name in row]
    half = numbers([row.get(f"{name}_ci95", 0.0) for row in points], factor)
    y = numbers([row[name] for row in points], factor)
    x = [row["meta_iteration"] for row in points]
    return Line(x, [y], None if split == "train" else half, look)


def _settings(report: Mapping[str, Any], known: Mapping[str, Look]) -> Iterator[Labelled]:
    """Adaptation in each setting; a colour an initialization, a line style a protocol."""
    results = report["results"]
    curves = any(r["curve"]["steps"] for r in results)
    places: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for r in results:
        if r["curve"]["steps"] or not curves:
            size = (r["ways"], r["shots"], varies(r))
            place = (size, r["steps"], r["batch_size"], r["queries"])
            places.setdefault(place, []).append(r)
    for place, entries in places.items():
        metric = measures.metric_of(entries[0])
        looks = {_label(r, report): known[_named(r, report)] for r in entries}
        lines = [_adapted(r, metric, looks[_label(r, report)], curves) for r in entries]
        lines = [line for i, line in enumerate(lines) if line not in lines[:i]]  # of a regression
        if not any(line.finite for line in lines):
            continue
        tasks = entries[0]["curve"]["tasks"] if curves else entries[0]["tasks"]
        (ways, shots, varied), steps, *_ = place
        alike = [other for other in places if other[0] == place[0]]
        more = f", {steps} steps" if len(alike) > 1 else ""
        title = f"{words.setting(ways, shots, metric, varied)}{more}: {tasks:,} unseen tasks"
        chance = _chance(entries[0]) if metric == "acc" else None
        panel = Panel(title, STEP, measures.unit(metric, report), metric, lines, chance)
        yield panel, looks


def _label(r: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    return words.INITIALIZATIONS.get(r["init"]) or words.algorithm(_named(r, report))


def _named(r: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """What its look is of: the algorithm, or a baseline."""
    return report["algorithm"] if r["init"] == "trained" else r["init"]


def _adapted(r: Mapping[str, Any], metric: str, look: Look, curves: bool) -> Line:
    factor = measures.scale(metric)
    curve = r["curve"] if curves else {"steps": [r["steps"]]}
    y, half = (
        numbers(curve[name] if curves else [r.get(name)], factor)
        for name in (metric, f"{metric}_ci95")
    )
    style = STYLES[r["protocol"]] if metric == "acc" else "-"
    return Line(curve["steps"], [y], half, {**look, "ls": style})


def _chance(r: Mapping[str, Any]) -> float | None:
    return chance(r["ways"], varies(r))
