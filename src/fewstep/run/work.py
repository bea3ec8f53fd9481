"""How much work a training task is, by which compared runs are told to be equal."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from fewstep.algorithms import Algorithm
from fewstep.core.types import EpisodeSpec


class Work(NamedTuple):
    """What one task of training costs."""

    gradients: int
    examples: int
    hessian_products: int


def work_of(algorithm: Algorithm, spec: EpisodeSpec, points: int | None = None) -> Work:
    """The work of a task; `points` are those of a wave, whose queries are the whole grid."""
    if points and algorithm.needs_queries:
        spec = replace(spec, queries=points)
    return Work(algorithm.gradients(spec), algorithm.examples(spec), algorithm.hessian_products())
