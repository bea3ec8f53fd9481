"""What the inner rule learned, by meta-iteration: a panel of a run's curves.png."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fewstep.records import words
from fewstep.records.figures.lines import VALUES, Line
from fewstep.records.figures.panel import ITERATION, Labelled, Panel
from fewstep.records.figures.style import FURTHER, PALETTE, nth, numbers


MEAN = re.compile(r"train/inner_(.+)_mean")
"""The column of an entry's mean; beside it stand `_min` and `_max`."""


def panels(rows: Sequence[Mapping[str, Any]], taken: Collection[str]) -> Iterator[Labelled]:
    """One panel of all entries that were logged, none where nothing was learned; in colours that
    no other curve of the picture has taken."""
    names = dict.fromkeys(found[1] for row in rows for n in row if (found := MEAN.fullmatch(n)))
    colors = [color for color in (*PALETTE, *FURTHER) if color not in taken]
    lines: dict[str, Line] = {}
    for place, name in enumerate(names):
        line = _line(rows, name, nth(place, colors))
        if line.finite:
            lines[_named(name)] = line
    if lines:
        title, drawn = "learned by the inner rule", list(lines.values())
        panel = Panel(title, ITERATION, "value, mean over its entries", VALUES, drawn)
        yield panel, {label: line.look for label, line in lines.items()}


def _line(rows: Sequence[Mapping[str, Any]], name: str, look: Mapping[str, Any]) -> Line:
    """The mean of an entry, and how far its values are apart, where they are."""
    points = [row for row in rows if f"train/inner_{name}_mean" in row]
    low, mean, high = (
        numbers([row.get(f"train/inner_{name}_{kind}") for row in points], 1)
        for kind in ("min", "mean", "max")
    )
    apart = any(a < b for a, b in zip(low, high, strict=True))
    x = [row["meta_iteration"] for row in points]
    return Line(x, [mean], look=look, between=(low, high) if apart else None)


def _named(entry: str) -> str:
    """An entry in the words of the legend: `learned: inner learning rate`."""
    return f"learned: {words.named(f'algorithm.inner.{entry}')}"
