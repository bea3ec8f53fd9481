"""The same tasks for everything that is compared: which pictures are given, and which asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


QUERIES = 10
"""Pictures of each class that are asked."""

Method = Callable[[Tensor, Tensor, int, Tensor], Tensor]
"""From places of the given pictures [S], their classes [S], the ways, and places of those that are
asked [Q], to classes [Q]."""


@dataclass(frozen=True)
class Task:
    """One task, in places of the pictures of a dataset, the class of which is their first axis."""

    given: Tensor
    """[N * K]."""
    asked: Tensor
    """[N * QUERIES]."""
    ways: int
    shots: int

    @property
    def y(self) -> Tensor:
        """Classes of the given pictures."""
        return torch.arange(self.ways).repeat_interleave(self.shots)

    @property
    def truth(self) -> Tensor:
        """Classes of those that are asked."""
        return torch.arange(self.ways).repeat_interleave(QUERIES)


def tasks(counts: Sequence[int], ways: int, shots: int, number: int, seed: int) -> Iterator[Task]:
    """Tasks of some classes, that have so many pictures each, one class after another."""
    starts = np.cumsum([0, *counts[:-1]])
    for index in range(number):
        rng = np.random.default_rng([seed, ways, shots, index])
        given, asked = [], []
        for c in rng.choice(len(counts), ways, replace=False):
            places = starts[c] + rng.permutation(counts[c])[: shots + QUERIES]
            given.append(places[:shots])
            asked.append(places[shots:])
        made = (torch.from_numpy(np.concatenate(some)) for some in (given, asked))
        yield Task(*made, ways, shots)


def shares(methods: Mapping[str, Method], some: Sequence[Task]) -> dict[str, Tensor]:
    """The share of right answers in each task [tasks], by method."""
    found: dict[str, list[float]] = {name: [] for name in methods}
    for task in some:
        for name, method in methods.items():
            said = method(task.given, task.y, task.ways, task.asked)
            found[name].append(float((said == task.truth).double().mean()))
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}
