"""Pictures of section 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fewstep.records.figures.style import (
    MARKERS,
    NEUTRAL,
    PALETTE,
    STYLE,
    color_of,
    logarithmic,
    marker_of,
)
from fewstep.theory.problem import ALGORITHMS
from fewstep.theory.tables import ESTIMATES, NAMES


def draw(folder: Path, figures: Mapping[str, Any]) -> list[Path]:
    """A PNG of each part that has a picture; the files."""
    paths = []
    for part, (panels, paint) in PICTURES.items():
        if part not in figures:
            continue
        with plt.rc_context(STYLE):
            size = (3.2 * panels + 1.6, 3.7)
            figure, axes = plt.subplots(
                1, panels, figsize=size, layout="constrained", sharey=part == "slopes"
            )
            paint(figure, axes, figures[part])
            paths.append(folder / f"{part}.png")
            figure.savefig(paths[-1])
            plt.close(figure)
    return paths


def _slopes(figure: Figure, panels: np.ndarray, rows: list[Mapping[str, Any]]) -> None:
    for axes, name in zip(panels, ALGORITHMS, strict=True):
        own = [row for row in rows if row["algorithm"] == name]
        for row, color, marker in zip(own, PALETTE, MARKERS, strict=False):
            label = f"k = {row['k']}, slope {row['slope']:.3f}"
            look = {"color": color, "marker": marker, "ms": 4, "lw": 1.2}
            axes.loglog(row["rates"], row["residuals"], label=label, **look)
        rates = np.array(own[0]["rates"])
        guide = 0.3 * own[0]["residuals"][0] * (rates / rates[0]) ** 2
        axes.loglog(rates, guide, color=NEUTRAL, ls="--", lw=1, label="slope 2")
        axes.set(title=NAMES[name], xlabel="inner learning rate")
        axes.legend(fontsize=9)
    panels[0].set_ylabel("norm of the residual")
    figure.suptitle("What the leading-order expansions leave out is of second order")


def _coefficients(figure: Figure, panels: np.ndarray, rows: list[Mapping[str, Any]]) -> None:
    titles = {"avg_grad": "AvgGrad", "avg_grad_inner": "AvgGradInner × inner learning rate"}
    for axes, (term, title) in zip(panels, titles.items(), strict=True):
        for place, name in enumerate(ALGORITHMS, -1):
            color, marker = color_of(name), marker_of(name)
            aside = 0.05 * place  # side by side where values are equal
            own = [row for row in rows if row["algorithm"] == name]
            ks = [row["k"] + aside for row in own]
            axes.plot(ks, [row[f"paper_{term}"] for row in own], color=color, lw=1.2)
            measured = {"color": color, "marker": marker, "ms": 7, "ls": "", "mfc": "none"}
            axes.plot(ks, [row[term] for row in own], label=NAMES[name], **measured)
        axes.set(title=title, xlabel="minibatches of a direction, k")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(0.08)
    panels[0].plot([], [], color=NEUTRAL, lw=1.2, label="lines: the paper")
    panels[0].legend(fontsize=9)
    panels[0].set_ylabel("coefficient")
    figure.suptitle("Coefficients of the expected direction")


def _manifolds(figure: Figure, panels: np.ndarray, found: Mapping[str, Any]) -> None:
    left, right = panels
    left.semilogy(
        found["steps"], found["direction_error"], color=color_of("reptile"), marker="o", ms=4
    )
    left.set(title="direction against φ − E[P(φ)]", xlabel="inner steps, k")
    left.set_ylabel("relative difference")
    for training, color in zip(found["trainings"], PALETTE, strict=False):
        right.semilogy(training["distance"], color=color, lw=1.8, label=f"k = {training['k']}")
    right.set(title="training", xlabel="meta-iteration")
    right.set_ylabel("distance from the nearest point")
    right.legend(fontsize=9)
    figure.suptitle("Reptile finds the point nearest to all solution manifolds")


def _alignment(figure: Figure, panels: np.ndarray, found: Mapping[str, Any]) -> None:
    labels = {"inner_product": "inner product", "cosine": "cosine"}
    for axes, (term, label) in zip(panels, labels.items(), strict=True):
        for training in found["trainings"]:
            name = training["algorithm"]
            look = {"color": color_of(name), "marker": marker_of(name)}
            look["label"] = f"{NAMES[name]}, k = {training['k']}"
            _band(axes, training["points"], term, look)
        axes.set(title=label, xlabel="meta-iteration")
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    panels[0].set_ylabel(f"mean over {found['tasks']} tasks, 95 % band")
    panels[1].legend(fontsize=9)
    figure.suptitle(f"Gradients of a task's minibatches during training on {found['dataset']}")


def _estimators(figure: Figure, panels: np.ndarray, rows: list[Mapping[str, Any]]) -> None:
    """One panel a network, untrained and trained: the error by how much the inner loop bends."""
    groups = list(dict.fromkeys((row["case"], row["trained"]) for row in rows))
    for axes, (case, trained) in zip(panels, groups, strict=True):
        own = [row for row in rows if (row["case"], row["trained"]) == (case, trained)]
        bends = [row["curvature"] for row in own]
        for (name, label), ls in zip(ESTIMATES.items(), ("--", ":", "-."), strict=True):
            look = {"color": NEUTRAL, "ls": ls, "lw": 1.2, "marker": "x", "ms": 4}
            axes.loglog(bends, [row[name] for row in own], label=label, **look)
        for kind in ("binomial", "truncated"):
            color, marker = color_of(kind), marker_of(kind)
            for order, width in ((1, 0.9), (2, 1.6), (3, 2.3)):
                errors = [row[kind][order - 1] for row in own]
                look = {"color": color, "marker": marker, "ms": 4, "lw": width}
                axes.loglog(bends, errors, label=f"{kind}, order {order}", **look)
        when = "trained" if trained else "untrained"
        axes.set(title=f"{case}, {when}", xlabel="how much the inner loop bends, K a λ")
        if min(bends) < max(bends):  # powers of ten leave less than two decades without a number
            logarithmic(axes.xaxis, min(bends), max(bends))
    panels[0].set_ylabel("relative error, median over tasks")
    lines, labels = panels[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside right upper", fontsize=9)
    figure.suptitle("Estimates of MAML's gradient")


def _band(axes: Axes, points: list[Mapping[str, Any]], term: str, look: Mapping[str, Any]) -> None:
    x = [point["meta_iteration"] for point in points]
    y = np.array([point[term] for point in points], dtype=float)
    half = np.array([point[f"{term}_ci95"] for point in points], dtype=float)
    axes.plot(x, y, ms=4, lw=1.6, **look)
    axes.fill_between(x, y - half, y + half, color=look["color"], alpha=0.18, lw=0)


PICTURES: dict[str, tuple[int, Callable[..., None]]] = {
    "slopes": (3, _slopes),
    "coefficients": (2, _coefficients),
    "manifolds": (2, _manifolds),
    "alignment": (2, _alignment),
    "estimators": (4, _estimators),
}
"""Panels side by side, and what paints them."""
