"""Linear regression tasks whose weights have a prior, with Bayes' own answer to compare with.

A task is w from the prior and examples y = x.w + sigma e, x and e standard normal. Its queries are
the unit vectors with the weights as targets, so that the mean squared error times d is exactly the
squared distance from w, and no method can expect less of it than the posterior mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from fewstep.core.objectives import ChainMean
from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.digest import source_sha256
from fewstep.data.numbers import box_muller, normal, uniform
from fewstep.data.posterior import DENSITIES, PosteriorMean
from fewstep.data.sampler import CLASSES, IMAGES, Draws, check_counts


WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exponential": lambda u: -np.log(u),
    "laplace": lambda u: np.where(u < 0.5, np.log(2 * u), -np.log(2 - 2 * u)),
    "gaussian": lambda u: box_muller(*np.split(u, 2)),
}
"""Weights from numbers in (0, 1): as many, or of the last one half as many."""


@dataclass
class Linear:
    """Tasks of `d` weights; nothing is read and nothing is cached."""

    d: int = 2
    """Weights of a task."""
    sigma: float = 0.7
    """Standard deviation of the noise."""
    prior: str = "exponential"
    """Of each weight: exponential, laplace or gaussian, each of scale 1."""

    name: ClassVar[str] = "linear"
    objective: ChainMean = field(default_factory=ChainMean, init=False)

    def __post_init__(self) -> None:
        if self.d < 1:
            raise ValueError(f"dataset.d={self.d}: must be at least 1. For example dataset.d=2")
        if not self.sigma > 0:
            raise ValueError(
                f"dataset.sigma={self.sigma}: must be above 0. For example dataset.sigma=0.7"
            )
        if self.prior not in DENSITIES:
            raise ValueError(f"dataset.prior={self.prior}: must be one of {', '.join(DENSITIES)}")

    def oracle(self) -> PosteriorMean:
        """The network that answers with the posterior mean: the baseline `oracle`.

        Raises:
            ValueError: a prior whose posterior has no closed form, of more than two weights.
        """
        return PosteriorMean(self.d, self.sigma, self.prior)

    def open(self) -> dict[str, LinearSplit]:
        """The splits `train`, `val` and `test`: each an endless row of tasks of its own."""
        return {name: LinearSplit(name, self) for name in ("train", "val", "test")}


class LinearSplit:
    """Endless linear tasks; implements `fewstep.core.types.Split`."""

    def __init__(
        self,
        name: str,
        family: Linear,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name, self.family, self.device, self.dtype = name, family, torch.device(device), dtype

    def __repr__(self) -> str:
        return f"<{self.name} split of linear: {self.family.d} weights, {self.family.prior}>"

    @property
    def data_sha256(self) -> str:
        """The digest of what makes the tasks."""
        made = {"d": self.family.d, "sigma": self.family.sigma, "prior": self.family.prior}
        return source_sha256("linear", {"version": 1, **made})

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> LinearSplit:
        """The same split with its episodes on a device and in a dtype."""
        return LinearSplit(self.name, self.family, device, dtype)

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`: support x [S, d] and y [S, 1], queries the d unit vectors.

        Raises ValueError, as `check` does.
        """
        self.check(spec)
        draws, d = Draws(seed, self.name, index), self.family.d
        w = self._weights(draws)
        count = spec.shots * (d + 1)
        x, e = np.split(normal(draws.words(IMAGES, 2 * count)), [spec.shots * d])
        x = x.reshape(spec.shots, d)
        y = x @ w + self.family.sigma * e
        rows = [torch.from_numpy(numbers) for numbers in (draws.batches(spec), draws.key())]
        values = (x, y[:, None], np.eye(d), w[:, None])
        sx, sy, qx, qy = (torch.from_numpy(v).to(self.device, self.dtype) for v in values)
        batches, key = (row.to(self.device) for row in rows)
        return Episode(sx, sy, qx, qy, batches, key)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """The weights as little-endian float64."""
        return self._weights(Draws(seed, self.name, index)).astype("<f8").tobytes()

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if a spec asks for several ways."""
        check_counts(spec)
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a linear task is one; set it to 1")

    def _weights(self, draws: Draws) -> np.ndarray:
        """[d] float64."""
        several = 2 if self.family.prior == "gaussian" else 1
        return WEIGHTS[self.family.prior](uniform(draws.words(CLASSES, several * self.family.d)))
