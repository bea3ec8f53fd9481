"""Eigen-Reptile (Chen et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.algorithm import Algorithm, refuse_fixed, refuse_learned
from fewstep.core.problem import Problem
from fewstep.core.rules import inner_product
from fewstep.core.types import Episode, Metrics, Params, Start, State


@dataclass(frozen=True)
class EigenReptile(Algorithm):
    """Reptile along the main direction of the task's path instead of to its end.

    `direction = -l rho u`: u is the first principal axis of the places on the path, l the length of
    the path along it, rho the share of the path's variance that it has. Their code averages l and
    rho u over tasks apart; a product for each task is our reading. No matrix is larger than the
    number of places squared.
    """

    inner: InnerLoop
    replacement: bool = False

    def __post_init__(self) -> None:
        refuse_fixed(self.inner, "Eigen-Reptile")
        refuse_learned(self.inner, "Eigen-Reptile")

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        path = Path(self.inner, problem, start, episode)
        axis, share = main_axis(path.params)
        steps = [_minus(b, a) for a, b in zip(path.params, path.params[1:], strict=False)]
        length = torch.stack([inner_product(axis, s).abs() for s in steps]).sum()
        direction = {n: -length * share * u for n, u in axis.items()}
        return path.to_start(direction), path.state, path.metrics


def main_axis(places: list[Params]) -> tuple[Params, Tensor]:
    """The first principal axis of places, of length 1 and pointing from the first half of them to
    the second, and its share of their variance; zeros where they are one place."""
    count = len(places)
    mean = {n: torch.stack([p[n] for p in places]).mean(0) for n in places[0]}
    rows = [_minus(place, mean) for place in places]
    gram = torch.stack([torch.stack([inner_product(a, b) for b in rows]) for a in rows])
    values, vectors = torch.linalg.eigh(gram)
    weights = vectors[:, -1]  # of the largest
    axis = {n: _weighed(weights.to(mean[n].dtype), [r[n] for r in rows]) for n in mean}
    # Of an odd number of places the middle one belongs to neither half.
    halves = torch.zeros(count, dtype=gram.dtype, device=gram.device)
    halves[: count // 2], halves[-(count // 2) :] = -1.0, 1.0
    along = torch.stack([inner_product(axis, row) for row in rows])
    length = inner_product(axis, axis).sqrt()
    some = length > 0
    scale = torch.where((halves * along).sum() < 0, -1.0, 1.0) / torch.where(some, length, 1.0)
    total = values.clamp(min=0).sum()
    share = torch.where(some, values[-1] / torch.where(total > 0, total, 1.0), 0.0)
    return {n: torch.where(some, scale * u, 0.0) for n, u in axis.items()}, share


def _weighed(weights: Tensor, values: list[Tensor]) -> Tensor:
    return torch.tensordot(weights, torch.stack(values), 1)


def _minus(one: Params, other: Params) -> Params:
    return {n: value - other[n] for n, value in one.items()}
