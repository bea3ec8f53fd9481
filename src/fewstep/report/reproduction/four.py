"""The panels of the paper's Figure 4, where a sweep has its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from fewstep.records.figures.lines import CHANCE
from fewstep.records.figures.panel import AXIS, TITLE, handle
from fewstep.records.figures.style import MARKERS, PALETTE, color_of, numbers
from fewstep.report.reproduction import overlap
from fewstep.report.statistics.intervals import Estimate
from fewstep.report.tables.table import Row


METHODS: dict[str, dict[str, Any]] = {
    method: {"color": color, "marker": marker}
    for method, color, marker in zip(
        overlap.METHODS,
        (color_of("fomaml"), PALETTE[3], PALETTE[1], color_of("reptile")),
        MARKERS[:4],
        strict=True,
    )
}
"""How each looks: first-order MAML in its colour, its tails that were seen in warmer ones."""

Lines = Mapping[str, Mapping[float, Estimate]]


def panels(table: Sequence[Row]) -> list[tuple[str, Lines, float]]:
    """Title, lines and chance of each panel that has a line of two points or more."""
    found = [(panel.title, overlap.lines(panel, table)) for panel in overlap.PANELS]
    chance = 100 / table[0]["ways"] if table else 0.0
    return [
        (title, lines, chance)
        for title, lines in found
        if any(len(at) > 1 for at in lines.values())
    ]


def fill(axes: Axes, title: str, lines: Lines, chance: float) -> None:
    """One panel; bars are the wider of the 95 % intervals over tasks and over seeds."""
    for method, at in lines.items():
        means, half = numbers([f.mean for f in at.values()], 1), [f.wider for f in at.values()]
        axes.errorbar(list(at), means, half, lw=1.5, ms=4.5, elinewidth=1.1, **METHODS[method])
    axes.axhline(chance, zorder=1.5, **CHANCE)
    axes.set_title(title[:1].upper() + title[1:], fontsize=TITLE)
    axes.set_xlabel(title.partition(" (")[0], fontsize=AXIS)
    axes.set_ylabel("accuracy, %", fontsize=AXIS)


def handles(found: Sequence[tuple[str, Lines, float]]) -> list[Any]:
    """Those of the legend."""
    there = {method for _, lines, _ in found for method in lines}
    shown = [handle(method, look) for method, look in METHODS.items() if method in there]
    return [*shown, handle("chance", CHANCE)]
