"""The orderings that the paper reads off its Figure 3, held against a sweep of the same curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fewstep.report.contrast import Contrast, contrast
from fewstep.report.intervals import estimate
from fewstep.report.table import Entry, Row


CURVES = (
    *("g1", "g2", "g1+g2", "(g1+g2)/2", "g3", "g1+g2+g3", "(g1+g2+g3)/3"),
    *("g4", "g1+g2+g3+g4", "(g1+g2+g3+g4)/4"),
)
"""The labels of the ten curves: the last gradient, the sum and the average of 1 to 4 of them."""


@dataclass(frozen=True)
class Claim:
    """Something that the paper says of its figure: contrasts that are then all above zero."""

    text: str
    contrasts: tuple[Mapping[str, float], ...]


CLAIMS = (
    Claim("g1 alone is the worst", tuple({other: 1, "g1": -1} for other in CURVES[1:])),
    Claim("g1+g2 is below g2", ({"g2": 1, "g1+g2": -1},)),
    Claim("more minibatches help the last gradient", ({"g4": 1, "g2": -1},)),
    Claim("more minibatches help the sum", ({"g1+g2+g3+g4": 1, "g1+g2": -1},)),
    Claim("more minibatches help the average", ({"(g1+g2+g3+g4)/4": 1, "(g1+g2)/2": -1},)),
    Claim(
        "the sum gains more by them than the last gradient",
        ({"g1+g2+g3+g4": 1, "g1+g2": -1, "g4": -1, "g2": 1},),
    ),
)

NOTE = (
    "Differences are in points of the final accuracy; of several, the one that decides is shown. "
    "One that lies inside the wider 95 % interval, over tasks or over seeds, cannot be told, nor "
    "can anything of a curve that diverged."
)

HEAD = ["the paper's ordering", "here", "difference", "interval over"]


ALIKE = ("meta_iterations", "ways", "shots", "steps", "tasks")
"""What curves must share to be held against each other."""


def curves(table: Sequence[Row]) -> dict[str, Sequence[Entry]]:
    """The final results of Figure 3's curves by label, inductive where both are there.

    Of several budgets or settings the one with the most curves; among equals, the longest training.
    """
    found: dict[tuple, dict[str, Sequence[Entry]]] = {}
    for row in table:
        if row["label"] in CURVES and row["init"] == "trained":
            entries = row.cells.get("inductive") or next(iter(row.cells.values()))
            group = found.setdefault(tuple(row[name] for name in ALIKE), {})
            group.setdefault(row["label"], entries)
    return max(found.items(), key=lambda group: (len(group[1]), group[0]), default=((), {}))[1]


def grid(found: Mapping[str, Sequence[Entry]]) -> list[list[str]]:
    """Head and body: each claim, whether it holds, and the difference that decides it."""
    return [HEAD, *(_line(claim, found) for claim in CLAIMS)]


def _line(claim: Claim, found: Mapping[str, Sequence[Entry]]) -> list[str]:
    asked = {n for weights in claim.contrasts for n in weights}
    lacking = [name for name in CURVES if name in asked and name not in found]
    diverged = [n for n in CURVES if n in asked & found.keys() and estimate(found[n]).diverged]
    if lacking or diverged:
        told = [f"without {', '.join(lacking)}"] if lacking else []
        told += [f"{', '.join(diverged)} diverged"] if diverged else []
        return [claim.text, "cannot be told", "; ".join(told), ""]
    every = [contrast(weights, found) for weights in claim.contrasts]
    one = decisive(every)
    return [claim.text, verdict(every), f"{one.mean:+.2f} ± {one.half_width:.2f}", one.basis]


def verdict(decided: Sequence[Contrast]) -> str:
    """`holds` where all are above zero beyond their intervals, `does not` where one is below."""
    if any(one.below for one in decided):
        return "does not"
    return "holds" if all(one.above for one in decided) else "cannot be told"


def decisive(decided: Sequence[Contrast]) -> Contrast:
    """The contrast that the verdict rests on: what is furthest below zero beyond its interval, or
    else what is the least above zero."""
    below = [one for one in decided if one.below]
    if below:
        return min(below, key=lambda one: one.mean + one.half_width)
    return min(decided, key=lambda one: one.mean - one.half_width)
