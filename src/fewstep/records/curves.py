"""Pictures of a run: the training curve, the adaptation curve, and waves for regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib


matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from fewstep.disk.files import replacing
from fewstep.messages.printable import caption
from fewstep.records.metrics import read_metrics
from fewstep.records.style import STYLE, logarithmic, numbers, unit


STYLES = {"inductive": "-", "transductive": "--", "support": ":"}
"""The line of each protocol; the first of a figure is whole."""

COLORS = {"trained": "#0b6e4f", "joint": "#c8553d", "random": "#7d8597"}
"""The same initialization has the same colour in every picture."""


def draw_curves(folder: Path, results: Sequence[Mapping[str, Any]], title: str) -> Path:
    """curves.png: training on the left, adaptation to unseen tasks on the right."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
        figure.suptitle(caption(title))
        metrics = folder / "metrics.csv"
        if metrics.exists():
            _training(left, read_metrics(metrics)[1])
        else:
            left.set_visible(False)
        if any(r["curve"]["steps"] for r in results):
            _adaptation(right, results)
        else:  # eval.curve_tasks=0
            right.set_visible(False)
        path = folder / "curves.png"
        with replacing(path) as aside:
            figure.savefig(aside, format="png")
        plt.close(figure)
    return path


def _training(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    metric = "acc" if any("train/acc" in row for row in rows) else "loss"
    percent = 100 if metric == "acc" else 1
    looks = {"train": ("#adb5bd", "training tasks"), "val": ("#0b6e4f", "meta-validation")}
    looks["test"] = ("#3a6ea5", "meta-test (not selected by)")
    for split, (color, label) in looks.items():
        points = [row for row in rows if f"{split}/{metric}" in row]
        x = [row["meta_iteration"] for row in points]
        y = numbers([row[f"{split}/{metric}"] for row in points], percent)
        if split == "train":
            axes.plot(x, y, color=color, lw=0.8, label=label)
        elif points:
            half = numbers([row.get(f"{split}/{metric}_ci95", 0.0) for row in points], percent)
            axes.errorbar(x, y, half, color=color, lw=1.5, marker="o", ms=3, label=label)
    axes.set(xlabel="meta-iteration", ylabel=unit(metric), title="training")
    if metric == "loss":
        logarithmic(axes)
    axes.legend(loc="best")


def _adaptation(axes: Axes, results: Sequence[Mapping[str, Any]]) -> None:
    """Accuracy or loss after each inner step; a line style a protocol."""
    metric = "acc" if any("acc" in r for r in results) else "loss"
    percent = 100 if metric == "acc" else 1
    settings = sorted({(r["ways"], r["shots"]) for r in results})
    protocols = [p for p in STYLES if any(r["protocol"] == p for r in results)]
    for r in results:
        curve, place = r["curve"], protocols.index(r["protocol"])
        y = numbers(curve[metric], percent)
        half = numbers(curve[f"{metric}_ci95"], percent)
        label = r["init"] + (f" {r['ways']}w{r['shots']}s" if len(settings) > 1 else "")
        color = COLORS.get(r["init"], "#333333")
        alpha = 0.45 + 0.55 * (settings.index((r["ways"], r["shots"])) + 1) / len(settings)
        style = STYLES[r["protocol"]] if place else "-"
        look = {"color": color, "alpha": alpha, "ls": style, "lw": 1.6}
        axes.plot(curve["steps"], y, label=None if place else label, **look)
        low = [a - b for a, b in zip(y, half, strict=True)]
        high = [a + b for a, b in zip(y, half, strict=True)]
        axes.fill_between(curve["steps"], low, high, color=color, alpha=0.12, lw=0)
    tasks = max((r["curve"]["tasks"] for r in results), default=0)
    axes.set(xlabel="inner step", ylabel=unit(metric), xscale="symlog")
    axes.set_title(f"adaptation to {tasks} unseen tasks, 95 % bands")
    ticks = sorted({s for r in results for s in r["curve"]["steps"]} & {0, 1, 2, 5, 10, 20, 50})
    axes.set_xticks(ticks, [str(t) for t in ticks])
    if metric == "loss":
        logarithmic(axes)
    for protocol in protocols[1:]:
        axes.plot([], [], color="#333333", ls=STYLES[protocol], lw=1.2, label=protocol)
    axes.legend(loc="best")
