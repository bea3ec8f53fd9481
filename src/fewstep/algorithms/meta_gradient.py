"""Algorithms that bring the query gradient back along the path."""

from __future__ import annotations

from abc import abstractmethod

from fewstep.adapters.path import Path
from fewstep.algorithms.algorithm import Algorithm
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Metrics, Params, Start, State


class MetaGradient(Algorithm):
    """Adapt, take the gradient v of the query loss there, and say what it is at the start.

    A subclass writes `pull_back` alone. MAML and first-order MAML are two such, and keep files of
    their own: the one is a single program, the other keeps no path, and both are faster so.
    """

    needs_queries = True

    @property
    def kept(self) -> int | None:
        """The last steps that `pull_back` asks about; None is all of them."""
        return None

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        path = Path(self.inner, problem, start, episode, self.kept)
        metrics, v = path.query_gradient()
        return path.to_start(self.pull_back(path, v)), path.state, metrics

    @abstractmethod
    def pull_back(self, path: Path, v: Params) -> Params:
        """From v, the derivative of the query loss by the path's end, to that by its start."""
