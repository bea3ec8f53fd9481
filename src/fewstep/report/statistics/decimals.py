"""With how many decimals a loss is told: four, and others where four would hide what is there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fewstep.records.measures import SHORT


PLACES = 4
"""Decimals of a loss, so that those of a table are held against each other at a glance."""
MOST = 1e6
"""From here on decimals say nothing."""
NOISE = 1e-6
"""Half-widths below so much of a figure are rounding."""


def of_loss(value: float, halves: Sequence[float], apart: bool = False) -> list[str]:
    """A loss and its half-widths as text; with `apart` a difference, which has a sign.

    Where four decimals hide the loss or the half-widths, and from a million on, the largest of the
    half-widths has two digits, and the others end where it does.
    """
    every = [abs(number) for number in (value, *halves) if math.isfinite(number)]
    size = max(every, default=0.0)
    half = max((h for h in halves if math.isfinite(h) and h > NOISE * size), default=0.0)
    shown, last = _fixed, -PLACES
    if size >= MOST or _hidden(value, half, apart):
        last = _place(half) - 1 if half else _place(size) - 3
        shown = _power
        if SHORT <= size < MOST:
            shown, last = _fixed, min(last, -PLACES)
    sign = "+" if apart else ""
    return [shown(value, last, sign), *(shown(half, last) for half in halves)]


def _hidden(value: float, half: float, apart: bool) -> bool:
    """Whether four decimals show as zero what is not; a difference may be zero within its
    half-width, a loss is what it is."""
    telling = [half] if apart and half else [half, abs(value)]
    return any(0 < number < 0.5 * 10**-PLACES for number in telling)


def _place(number: float) -> int:
    return math.floor(math.log10(number))


def _fixed(number: float, last: int, sign: str = "") -> str:
    return f"{number:{sign}.{-last}f}"


def _power(number: float, last: int, sign: str = "") -> str:
    """Down to the digit of a power of ten."""
    if not number or not math.isfinite(number):
        return f"{number:{sign}g}"
    return f"{number:{sign}.{max(_place(abs(number)) - last, 0)}e}"
