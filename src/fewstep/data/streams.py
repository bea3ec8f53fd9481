"""Streams of pairs to be remembered: keys with values, and the last keys once more.

A task is T random unit vectors, each with another one as its value, in an order; that is its
support set. Its queries are the last Q keys. Nothing is shared between tasks: what can be learned
is how to write, and what to forget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fewstep.core.objectives import Regression
from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.digest import source_sha256
from fewstep.data.numbers import normal
from fewstep.data.sampler import IMAGES, Draws, check_counts


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
class Streams:
    """Streams of `shots` pairs of unit vectors, asked for the last `queries`; nothing is read."""

    d: int = 16
    """Numbers of a key, and of a value."""
    forgetting: float = 0.85
    """Of the least squares that stand beside the network (`baselines.oracle=true`)."""

    name: ClassVar[str] = "streams"
    objective: RelativeError = field(default_factory=RelativeError, init=False)

    def __post_init__(self) -> None:
        if self.d < 2:
            raise ValueError(f"dataset.d={self.d}: must be at least 2. For example dataset.d=16")
        if not 0 < self.forgetting <= 1:
            raise ValueError(
                f"dataset.forgetting={self.forgetting}: must be above 0 and at most 1. For example "
                "dataset.forgetting=0.85"
            )

    @property
    def answers(self) -> Mapping[str, Callable[[], nn.Module]]:
        """Beside the network: least squares that forget."""
        return {"least_squares": lambda: LeastSquares(self.forgetting)}

    def open(self) -> dict[str, StreamSplit]:
        """The splits `train`, `val` and `test`: each an endless row of streams of its own."""
        return {name: StreamSplit(name, self.d) for name in ("train", "val", "test")}


class StreamSplit:
    """Endless streams; implements `fewstep.core.types.Split`."""

    def __init__(
        self,
        name: str,
        d: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name, self.d, self.device, self.dtype = name, d, torch.device(device), dtype

    def __repr__(self) -> str:
        return f"<{self.name} split of streams: vectors of {self.d}>"

    @property
    def data_sha256(self) -> str:
        """The digest of what makes the streams."""
        return source_sha256("streams", {"version": 1, "d": self.d})

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> StreamSplit:
        """The same split with its episodes on a device and in a dtype."""
        return StreamSplit(self.name, self.d, device, dtype)

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`: keys and values [T, D] of its support, in their order, and the last
        `queries` of them once more.

        Raises ValueError, as `check` does.
        """
        self.check(spec)
        draws = Draws(seed, self.name, index)
        keys, values = (v.to(self.device, self.dtype) for v in self._pairs(draws, spec))
        batches, key = (torch.from_numpy(n) for n in (draws.batches(spec), draws.key()))
        asked = slice(spec.shots - spec.queries, None)
        rows = batches.to(self.device), key.to(self.device)
        return Episode(keys, values, keys[asked], values[asked], *rows)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """The pairs as little-endian float64, and how many are asked for."""
        pairs = self._pairs(Draws(seed, self.name, index), spec)
        return (
            b"".join(v.numpy().astype("<f8").tobytes() for v in pairs) + str(spec.queries).encode()
        )

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if a stream has no such queries."""
        check_counts(spec)
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a stream is one; set it to 1")
        if spec.queries > spec.shots:
            raise ValueError(
                f"queries={spec.queries}: a stream of shots={spec.shots} pairs is asked for that "
                "many at the most. Lower shots.queries and eval.queries"
            )

    def _pairs(self, draws: Draws, spec: EpisodeSpec) -> tuple[Tensor, Tensor]:
        """Keys and values, float64: the first pairs of a longer stream are those of a shorter."""
        row = 2 * self.d
        vectors = normal(draws.words(IMAGES, 2 * spec.shots * row).reshape(spec.shots, 2 * row).T)
        pairs = vectors.T.reshape(spec.shots, 2, self.d)
        pairs = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
        return torch.from_numpy(pairs[:, 0].copy()), torch.from_numpy(pairs[:, 1].copy())
