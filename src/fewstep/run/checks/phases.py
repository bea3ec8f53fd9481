"""What takes an algorithm's place at later meta-iterations, asked for before there is a run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from fewstep.algorithms import Algorithm
from fewstep.core.types import EpisodeSpec
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import answered, is_own, named


def phases(algorithm: Algorithm, of: int, spec: EpisodeSpec, key: str) -> list[Algorithm]:
    """What is to be tried beside the algorithm itself: of what takes its place at the first of so
    many meta-iterations, at each of its turns and at the last, the last one of each kind.

    Raises:
        ConfigError: it fails to say, gives what is no algorithm or needs queries that tasks do not
            have, or does not know what a task costs; in one line that begins with `key`.
    """
    found = {}
    for phase in _asked(algorithm, of, named(algorithm, key)):
        _check_costs(named(phase, key), phase, spec)
        if phase is not algorithm and (is_own(phase) or type(phase) is not type(algorithm)):
            found[type(phase)] = phase
    return [*found.values()]


def _asked(algorithm: Algorithm, of: int, name: str) -> Iterator[Algorithm]:
    turns = answered(f"{name}: its turns", lambda: [*algorithm.turns])
    if odd := [turn for turn in turns if type(turn) is not int]:
        raise ConfigError(
            f"{name}: its turns have {odd[0]!r}, and are meta-iterations, whole numbers. For "
            "example return (1000,)"
        )
    for i in sorted({0, of - 1, *(turn for turn in turns if 0 < turn < of)}):
        phase = answered(f"{name}: its at({i}, of={of})", partial(algorithm.at, i, of=of))
        if not isinstance(phase, Algorithm):
            kind = "None" if phase is None else f"a {type(phase).__name__}"
            raise ConfigError(
                f"{name}: its at({i}, of={of}) gives {kind}, and must give the algorithm of that "
                "meta-iteration. For example return self"
            )
        if phase.needs_queries and not algorithm.needs_queries:
            raise ConfigError(
                f"{name}: its at({i}, of={of}) gives {type(phase).__name__}, which needs queries, "
                "and tasks have none in training. Set needs_queries = True in its class"
            )
        yield phase


def _check_costs(name: str, algorithm: Algorithm, spec: EpisodeSpec) -> None:
    """By these, budgets and results say how much work a training is."""
    costs: dict[str, Any] = {
        "gradients": lambda: algorithm.gradients(spec),
        "examples": lambda: algorithm.examples(spec),
        "hessian_products": algorithm.hessian_products,
    }
    for part, ask in costs.items():
        cost = answered(f"{name}: its {part}", ask)
        if not isinstance(cost, (int, float)) or not cost >= 0:
            raise ConfigError(
                f"{name}: its {part} gives {cost!r}, and must give how many a training task costs, "
                "a number of at least 0. For example return 2 * self.inner.steps"
            )
