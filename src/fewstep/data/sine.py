"""Sine waves: the paper's one-dimensional regression (paper section 1, S4; the authors' gist).

A task is f(x) = a sin(x + b), with a from [0.1, 5] and b from [0, 2 pi], seen at some points of a
fixed grid. The mean over tasks is 0 everywhere, so a jointly trained net learns nothing useful.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from fewstep.core.objectives import Regression
from fewstep.core.types import SPLITS, Episode, EpisodeSpec
from fewstep.data.digest import source_sha256
from fewstep.data.sampler import CLASSES, Draws, check_counts


@dataclass
class Sine:
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
        if self.points < 2:
            raise ValueError(f"dataset.points={self.points}: a grid has at least 2 points")
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                f"dataset.low={self.low}, dataset.high={self.high}: low must be below high, and "
                "both must be finite"
            )

    def open(self) -> dict[str, SineSplit]:
        """The splits `train`, `val` and `test`: each an endless row of waves of its own."""
        grid = np.linspace(self.low, self.high, self.points)
        return {name: SineSplit(name, grid) for name in SPLITS}


class SineSplit:
    """Endless sine waves; implements `fewstep.core.types.Split`.

    Args:
        name: `train`, `val` or `test`; it keys the draws.
        grid: [points] float64, the x of the query, and where the support is taken from.
        device: where episodes are made.
        dtype: of x and y.
    """

    interval = "open"

    def __init__(
        self,
        name: str,
        grid: np.ndarray,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name, self.grid, self.device, self.dtype = name, grid, torch.device(device), dtype

    def __repr__(self) -> str:
        return f"<{self.name} split of sine: {len(self.grid)} points>"

    @property
    def data_sha256(self) -> str:
        """The digest of what makes the waves."""
        ends = {"low": float(self.grid[0]), "high": float(self.grid[-1])}
        return source_sha256("sine", {"version": 1, "points": len(self.grid), **ends})

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> SineSplit:
        """The same split with its episodes on a device and in a dtype."""
        return SineSplit(self.name, self.grid, device, dtype)

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`: x and y as [S, 1] for the support and [points, 1] for the query.

        The support is the first `shots` of a permutation of the grid; the query is always the
        whole grid in order, whatever `queries` says: the paper's loss is an integral over it.

        Raises ValueError, as `check` does, when the grid cannot fill the spec.
        """
        self.check(spec)
        draws = Draws(seed, self.name, index)
        amplitude, phase = wave(draws)
        x = torch.from_numpy(self.grid)[:, None]
        y = amplitude * torch.sin(x + phase)
        support = torch.tensor(draws.images(0, spec.shots, len(self.grid)))
        rows = [torch.from_numpy(numbers) for numbers in (draws.batches(spec), draws.key())]
        support_x, support_y, query_x, query_y = (
            v.to(self.device, self.dtype, non_blocking=True) for v in (x[support], y[support], x, y)
        )
        batches, key = (row.to(self.device, non_blocking=True) for row in rows)
        return Episode(support_x, support_y, query_x, query_y, batches, key)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """Amplitude and phase as little-endian float64, and the support's grid rows as int64."""
        draws = Draws(seed, self.name, index)
        rows = draws.images(0, spec.shots, len(self.grid))
        return np.array(wave(draws), "<f8").tobytes() + np.array(rows, "<i8").tobytes()

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if a spec asks for several waves or many points."""
        check_counts(spec)
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a sine task is one wave; set it to 1")
        if spec.shots > len(self.grid):
            raise ValueError(
                f"shots={spec.shots}: the sine grid has {len(self.grid)} points; use at most "
                f"{len(self.grid)}, or raise dataset.points"
            )


def wave(draws: Draws) -> tuple[float, float]:
    """A task's amplitude, uniform on [0.1, 5], and phase, uniform on [0, 2 pi]."""
    amplitude, phase = (int(word) / 2**64 for word in draws.words(CLASSES, 2))
    return 0.1 + 4.9 * amplitude, 2 * math.pi * phase
