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
    "Differences are in points of the final accuracy; where several decide, the smallest is shown. "
    "One that lies inside the wider 95 % interval, over tasks or over seeds, cannot be told."
)

HEAD = ["the paper's ordering", "here", "difference", "interval over"]


def curves(table: Sequence[Row]) -> dict[str, Sequence[Entry]]:
    """The final accuracies of Figure 3's curves by label, inductive where both are there."""
    found: dict[str, Sequence[Entry]] = {}
    for row in table:
        if row["label"] in CURVES and row["init"] == "trained":
            entries = row.cells.get("inductive") or next(iter(row.cells.values()))
            if estimate(entries).mean is not None:
                found.setdefault(row["label"], entries)
    return found


def grid(found: Mapping[str, Sequence[Entry]]) -> list[list[str]]:
    """Head and body: each claim, whether it holds, and the difference that decides it."""
    return [HEAD, *(_line(claim, found) for claim in CLAIMS)]


def _line(claim: Claim, found: Mapping[str, Sequence[Entry]]) -> list[str]:
    lacking = {n for weights in claim.contrasts for n in weights if n not in found}
    if lacking:
        names = ", ".join(name for name in CURVES if name in lacking)
        return [claim.text, "cannot be told", f"without {names}", ""]
    decided = [contrast(weights, found) for weights in claim.contrasts]
    closest = min(decided, key=lambda c: c.mean)
    numbers = f"{closest.mean:+.2f} ± {closest.half_width:.2f}"
    return [claim.text, verdict(decided), numbers, closest.basis]


def verdict(decided: Sequence[Contrast]) -> str:
    """`holds` where all are above zero beyond their intervals, `does not` where one is below."""
    if any(one.below for one in decided):
        return "does not"
    return "holds" if all(one.above for one in decided) else "cannot be told"
