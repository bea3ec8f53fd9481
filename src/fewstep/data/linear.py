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

from fewstep.core.objectives import ChainMean
from fewstep.core.types import EpisodeSpec
from fewstep.data.family import Family, Made
from fewstep.data.numbers import box_muller, normal, uniform
from fewstep.data.options import check_count
from fewstep.data.posterior import DENSITIES, PosteriorMean
from fewstep.data.sampler import CLASSES, IMAGES, Draws


WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exponential": lambda u: -np.log(u),
    "laplace": lambda u: np.where(u < 0.5, np.log(2 * u), -np.log(2 - 2 * u)),
    "gaussian": lambda u: box_muller(*np.split(u, 2)),
}
"""Weights from numbers in (0, 1): as many, or of the last one half as many."""


@dataclass
class Linear(Family):
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
        check_count("d", self.d, 2)
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

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """Support x [S, d] and y [S, 1]; the queries are the d unit vectors."""
        w, count = self._weights(draws), spec.shots * (self.d + 1)
        x, e = np.split(normal(draws.words(IMAGES, 2 * count)), [spec.shots * self.d])
        x = x.reshape(spec.shots, self.d)
        y = x @ w + self.sigma * e
        return Made(x, y[:, None], np.eye(self.d), w[:, None])

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """The weights as little-endian float64."""
        return self._weights(draws).astype("<f8").tobytes()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a linear task is one; set it to 1")

    def _weights(self, draws: Draws) -> np.ndarray:
        """[d] float64."""
        several = 2 if self.prior == "gaussian" else 1
        return WEIGHTS[self.prior](uniform(draws.words(CLASSES, several * self.d)))
