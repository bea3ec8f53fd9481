"""What a user's own algorithm hands back, looked at before a run relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fewstep.algorithms import Algorithm
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Start
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import (
    asked_twice,
    check_like,
    check_mapping,
    named,
    several,
    tensors_of,
)
from fewstep.run.checks.own_uploads import check_upload


def check_direction(
    algorithm: Algorithm, problem: Problem, start: Start, episode: Episode, key: str = "algorithm"
) -> None:
    """Ask it twice for the direction of a task, for which network and data are known to fit, and
    for what the task hands over.

    Raises:
        ConfigError: it fails, changes what it is given, says something else the next time, or hands
            back anything but `(direction, state, metrics)` of numbers; in one line that names it.
    """
    name = named(algorithm, key)
    tensors = tensors_of(start.params, episode, "start.params")

    def ask() -> Any:
        fresh = replace(problem, net=problem.net.begin(episode))
        return algorithm.direction(fresh, start, episode)

    found = asked_twice(f"{name}: its direction", ask, tensors)
    if given := several(found, 3):
        raise ConfigError(
            f"{name}: its direction must return (direction, state, metrics), and returns {given}. "
            "For example return direction, adapted.state, adapted.metrics"
        )
    direction, state, metrics = found
    _check_direction(name, direction, start)
    check_mapping(name, "state", state, "adapted.state of the inner loop, or start.state")
    if lost := [key for key in start.state if key not in state]:
        raise ConfigError(
            f"{name}: its state lacks {lost[0]}, which the inner rule remembers from task to task. "
            "For example return direction, adapted.state, adapted.metrics"
        )
    _check_metrics(name, metrics)
    _check_numbers(name, direction, metrics, episode)
    if algorithm.uploads:
        there = {n: p - direction[n] for n, p in start.params.items()}
        fresh = replace(problem, net=problem.net.begin(episode))
        check_upload(name, partial(algorithm.upload, fresh, there, episode), tensors)


def _check_direction(name: str, direction: Any, start: Start) -> None:
    """A tensor for each parameter, of its shape."""
    example = "{n: p - end[n] for n, p in start.params.items()}"
    check_mapping(name, "direction", direction, example)
    if lost := [key for key in start.params if key not in direction]:
        raise ConfigError(
            f"{name}: its direction lacks {lost[0]}. It needs an entry for every name of "
            "start.params; zeros leave a parameter where it is"
        )
    if more := [key for key in direction if key not in start.params]:
        raise ConfigError(f"{name}: its direction has {more[0]}, which no parameter is called")
    check_like(f"{name}: direction", direction, start.params)


def _check_metrics(name: str, metrics: Any) -> None:
    """Scalars by name."""
    check_mapping(name, "metrics", metrics, "{} or adapted.metrics")
    for key, value in metrics.items():
        if not isinstance(key, str):
            raise ConfigError(
                f"{name}: its metrics have an entry {key!r}, and their names are texts. For "
                f'example "my_{key}"'
            )
        if not isinstance(value, Tensor) or value.dim():
            given = f"shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)[:40]
            raise ConfigError(
                f"{name}: metrics[{key!r}] must be a scalar tensor, and is {given}. For example "
                "torch.as_tensor(x).mean()"
            )


def _check_numbers(
    name: str, direction: Mapping[str, Tensor], metrics: Mapping[str, Tensor], episode: Episode
) -> None:
    """Without queries, what is made of them is no number."""
    if not len(episode.query_x):
        fix = (
            "Tasks have no queries in training unless its class says so: set needs_queries = True "
            "where it asks for them"
        )
    else:
        fix = "Look for a division by zero, a logarithm or a root of zero, or an empty mean"
    for part, values in (("direction", direction), ("metrics", metrics)):
        for key, value in values.items():
            if torch.isnan(value).any():
                raise ConfigError(
                    f"{name}: its {part}[{key!r}] is NaN on the first training task. {fix}"
                )
