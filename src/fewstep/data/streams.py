"""Streams of pairs to be remembered: keys with values, and the last keys once more.

A task is T random unit vectors, each with another one as its value, in an order; that is its
support set. Its queries are the last Q keys. Nothing is shared between tasks: what can be learned
is how to write, and what to forget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fewstep.core.objectives import Regression
from fewstep.core.types import EpisodeSpec
from fewstep.data.family import Family, Made
from fewstep.data.numbers import normal
from fewstep.data.options import check_count
from fewstep.data.sampler import IMAGES, Draws


@dataclass(frozen=True)
class RelativeError(Regression):
    """The squared error as a share of the value's own square: 1 says nothing."""

    unit: ClassVar[str] = "relative squared error"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """[B] of outputs and targets [B, D]."""
        return (outputs - targets).square().sum(1) / targets.square().sum(1)


class LeastSquares(nn.Module):
    """The matrix that has missed the pairs least, an older one counting `forgetting` times as much
    as the next: recursive least squares, at its end. It learns nothing."""

    takes = ("support_x", "support_y")

    def __init__(self, forgetting: float) -> None:
        super().__init__()
        self.forgetting = forgetting
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, support_x: Tensor, support_y: Tensor) -> Tensor:
        """Values [B, D] of keys [B, D]."""
        ages = torch.arange(len(support_x) - 1, -1, -1, device=x.device, dtype=x.dtype)
        weighted = support_x * (self.forgetting**ages)[:, None]
        ridge = 1e-3 * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        matrix = torch.linalg.solve(weighted.T @ support_x + ridge, weighted.T @ support_y)
        return x @ matrix + 0 * self.unused


@dataclass
class Streams(Family):
    """Streams of `shots` pairs of unit vectors, asked for the last `queries`; nothing is read."""

    d: int = 16
    """Numbers of a key, and of a value."""
    forgetting: float = 0.85
    """Of the least squares that stand beside the network (`baselines.oracle=true`)."""

    name: ClassVar[str] = "streams"
    objective: RelativeError = field(default_factory=RelativeError, init=False)

    def __post_init__(self) -> None:
        check_count("d", self.d, 16, least=2)
        if not 0 < self.forgetting <= 1:
            raise ValueError(
                f"dataset.forgetting={self.forgetting}: must be above 0 and at most 1. For example "
                "dataset.forgetting=0.85"
            )

    @property
    def answers(self) -> Mapping[str, Callable[[], nn.Module]]:
        """Beside the network: least squares that forget."""
        return {"least_squares": lambda: LeastSquares(self.forgetting)}

    def settings(self) -> dict[str, Any]:
        """All but what stands beside the network."""
        return {"version": self.version, "d": self.d}

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """Keys and values [T, D] in their order, and the last `queries` of them once more."""
        keys, values = self._pairs(draws, spec)
        asked = slice(spec.shots - spec.queries, None)
        return Made(keys, values, keys[asked], values[asked])

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """The pairs as little-endian float64, and how many are asked for."""
        pairs = (v.astype("<f8").tobytes() for v in self._pairs(draws, spec))
        return b"".join(pairs) + str(spec.queries).encode()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a stream is one; set it to 1")
        if spec.queries > spec.shots:
            raise ValueError(
                f"queries={spec.queries}: a stream of shots={spec.shots} pairs is asked for that "
                "many at the most. Lower shots.queries and eval.queries"
            )

    def _pairs(self, draws: Draws, spec: EpisodeSpec) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values, float64: the first pairs of a longer stream are those of a shorter."""
        row = 2 * self.d
        vectors = normal(draws.words(IMAGES, 2 * spec.shots * row).reshape(spec.shots, 2 * row).T)
        pairs = vectors.T.reshape(spec.shots, 2, self.d)
        pairs = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
        return pairs[:, 0].copy(), pairs[:, 1].copy()
