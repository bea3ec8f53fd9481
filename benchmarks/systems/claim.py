"""One line of what is claimed of a system, and the trainings that it is of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """Trainings of one label, as they were tested in one setting."""

    label: str
    told: Mapping[str, Any] = field(default_factory=dict)
    """What tells its row from others of that label: `init`, `shots`, `steps`, or a key."""


@dataclass(frozen=True)
class Claim:
    """That a figure, or a difference of two, is above the one number and below the other."""

    text: str
    one: Arm
    other: Arm | None = None
    metric: str = "acc"
    also: tuple[Arm, ...] = ()
    """Further arms of which the same is claimed: it holds if it holds of each by itself, and is
    told by the one that is least clear (an intersection-union test, Berger 1982)."""
    above: float = 0.0
    below: float = math.inf
    apart: bool = False
    """Whether the intervals of both must be apart, which is more than that of the difference."""
    asked: bool = True
    """Whether `make gates` asks for it; else it is reported alone."""
