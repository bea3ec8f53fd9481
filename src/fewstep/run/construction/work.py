"""How much work a training is, by which compared runs are told to be equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from fewstep.algorithms import Algorithm
from fewstep.core.types import EpisodeSpec


class Work(NamedTuple):
    """What one task of training costs, or the tasks of several meta-iterations, one of each."""

    gradients: int
    examples: int
    hessian_products: int

    def times(self, number: int) -> Work:
        """That of so many tasks."""
        return Work(*(number * each for each in self))


@dataclass(frozen=True)
class Tasks:
    """Training tasks of an algorithm."""

    algorithm: Algorithm
    spec: EpisodeSpec
    points: int | None = None
    """Of a wave, whose queries are the whole grid."""

    def at(self, meta_iteration: int, of: int) -> Work:
        """What one of them costs."""
        algorithm, spec = self.algorithm.at(meta_iteration, of), self.spec
        if self.points and algorithm.needs_queries:
            spec = replace(spec, queries=self.points)
        return Work(
            algorithm.gradients(spec), algorithm.examples(spec), algorithm.hessian_products()
        )

    def until(self, meta_iterations: int, of: int) -> Work:
        """What one of each of so many meta-iterations costs together."""
        total = Work(0, 0, 0)
        for first, end in self._parts(meta_iterations):
            part = self.at(first, of).times(end - first)
            total = Work(*(sum(both) for both in zip(total, part, strict=True)))
        return total

    def within(self, unit: str, amount: int, most: int) -> int:
        """How many whole meta-iterations one task of each can have for so much of `gradients` or
        `examples`, up to a limit."""
        for first, end in self._parts(most):
            each = getattr(self.at(first, most), unit)
            if amount < each * (end - first):
                return first + amount // each
            amount -= each * (end - first)
        return most

    def _parts(self, end: int) -> Iterator[tuple[int, int]]:
        """From which meta-iteration to which a task costs the same."""
        turns = {turn for turn in self.algorithm.turns if 0 < turn < end}
        return pairwise(sorted({0, *turns, end}))
