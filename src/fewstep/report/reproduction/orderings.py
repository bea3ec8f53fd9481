"""The orderings that the paper reads off its Figure 3, held against a sweep of the same curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fewstep.records.statistics.two_way import holm
from fewstep.report.statistics.contrast import LEVEL, Contrast, contrast
from fewstep.report.statistics.intervals import difference, estimate, p_value
from fewstep.report.tables.table import Entry, Row


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
    "Differences are in points of the final accuracy, with the 95 % interval of each; of several, "
    "the one that decides is shown. A claim holds, or does not, where its p-value is below 0.05 "
    "after Holm's correction for all claims of the table; else it cannot be told, nor can anything "
    "of a curve that diverged."
)

HEAD = ["the paper's ordering", "here", "difference", "p (Holm)", "interval over"]


ALIKE = ("meta_iterations", "ways", "shots", "varies", "steps", "tasks")
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


@dataclass(frozen=True)
class Decision:
    """What the figures say of a claim, whatever is said of the others."""

    shown: Contrast
    """The contrast that it rests on."""
    p: float
    """Of its contrasts being above zero all, or else of one of them being below."""
    holds: bool
    """Whether it is the former."""

    def verdict(self, adjusted: float) -> str:
        """`holds`, `does not`, or that it cannot be told with this adjusted p-value."""
        if not adjusted < LEVEL:
            return "cannot be told"
        return "holds" if self.holds else "does not"


def decide(contrasts: Sequence[Contrast]) -> Decision:
    """All must be above zero for a claim to hold, so the least certain of them says how sure that
    is, uncorrected. That it does not takes a single one below, of which Holm's correction counts
    how many were looked at."""
    adjusted = holm([one.p for one in contrasts])
    below = [(p, one) for p, one in zip(adjusted, contrasts, strict=True) if one.mean < 0]
    if below:
        p, one = min(below, key=lambda found: (math.isnan(found[0]), found[0], found[1].mean))
        return Decision(one, p, holds=False)
    weakest = max(contrasts, key=lambda one: (math.isnan(one.p), one.p, -one.mean))
    return Decision(weakest, weakest.p, holds=True)


def grid(found: Mapping[str, Sequence[Entry]]) -> list[list[str]]:
    """Head and body: each claim, whether it holds, and the difference that decides it."""
    lacking = [_lacking(claim, found) for claim in CLAIMS]
    decisions = [
        None if reason else decide([contrast(weights, found) for weights in claim.contrasts])
        for claim, reason in zip(CLAIMS, lacking, strict=True)
    ]
    adjusted = iter(holm([one.p for one in decisions if one]))
    return [
        HEAD,
        *(
            [claim.text, *(_decided(one, next(adjusted)) if one else _undecided(reason))]
            for claim, reason, one in zip(CLAIMS, lacking, decisions, strict=True)
        ),
    ]


def _lacking(claim: Claim, found: Mapping[str, Sequence[Entry]]) -> str:
    """Why nothing can be said of a claim; empty where something can."""
    asked = {n for weights in claim.contrasts for n in weights}
    lacking = [name for name in CURVES if name in asked and name not in found]
    diverged = [n for n in CURVES if n in asked & found.keys() and estimate(found[n]).diverged]
    reasons = [f"without {', '.join(lacking)}"] if lacking else []
    reasons += [f"{', '.join(diverged)} diverged"] if diverged else []
    return "; ".join(reasons)


def _decided(one: Decision, adjusted: float) -> list[str]:
    return [one.verdict(adjusted), difference(one.shown), p_value(adjusted), one.shown.basis]


def _undecided(reason: str) -> list[str]:
    return ["cannot be told", reason, "", ""]
