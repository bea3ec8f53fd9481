"""Sine waves: the paper's one-dimensional regression (paper section 1, S4; the authors' gist).

A task is f(x) = a sin(x + b), with a from [0.1, 5] and b from [0, 2 pi], seen at some points of a
fixed grid. The mean over tasks is 0 everywhere, so a jointly trained net learns nothing useful.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch

from fewstep.core.objectives import Regression
from fewstep.core.types import EpisodeSpec
from fewstep.data.family import Family, Made
from fewstep.data.options import check_count
from fewstep.data.sampler import CLASSES, Draws


@dataclass
class Sine(Family):
    """Sine waves on a grid; nothing is read and nothing is cached."""

    points: int = 50
    """Points of the grid."""
    low: float = -5.0
    """The grid's first x, in radians."""
    high: float = 5.0
    """The grid's last x, in radians."""

    name: ClassVar[str] = "sine"
    objective: Regression = field(default_factory=Regression, init=False)

    def __post_init__(self) -> None:
        check_count("points", self.points, 50, least=2)
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                f"dataset.low={self.low}, dataset.high={self.high}: low must be below high, and "
                "both must be finite"
            )

    def settings(self) -> dict[str, Any]:
        """The grid, whose ends count as the same numbers however they are typed."""
        given = {"points": self.points, "low": float(self.low), "high": float(self.high)}
        return {"version": self.version, **given}

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """x and y as [S, 1] for the support and [points, 1] for the query.

        The support is the first `shots` of a permutation of the grid; the query is always the
        whole grid in order, whatever `queries` says: the paper's loss is an integral over it.
        """
        amplitude, phase = wave(draws)
        x = torch.from_numpy(np.linspace(float(self.low), float(self.high), self.points))[:, None]
        y = amplitude * torch.sin(x + phase)
        support = torch.tensor(draws.images(0, spec.shots, self.points))
        return Made(x[support], y[support], x, y)

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """Amplitude and phase as little-endian float64, and the support's grid rows as int64."""
        rows = draws.images(0, spec.shots, self.points)
        return np.array(wave(draws), "<f8").tobytes() + np.array(rows, "<i8").tobytes()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        """Raise ValueError, naming the counts, if a spec asks for several waves or many points."""
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a sine task is one wave; set it to 1")
        if spec.shots > self.points:
            raise ValueError(
                f"shots={spec.shots}: the sine grid has {self.points} points; use at most "
                f"{self.points}, or raise dataset.points"
            )


def wave(draws: Draws) -> tuple[float, float]:
    """A task's amplitude, uniform on [0.1, 5], and phase, uniform on [0, 2 pi]."""
    amplitude, phase = (int(word) / 2**64 for word in draws.words(CLASSES, 2))
    return 0.1 + 4.9 * amplitude, 2 * math.pi * phase
