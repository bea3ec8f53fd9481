"""What a user's own algorithm hands back, looked at before a run relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.algorithms import Algorithm
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Start
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.trial import answered


def is_own(part: object) -> bool:
    """Whether an algorithm, or an inner rule, is none of fewstep's."""
    return not type(part).__module__.startswith("fewstep.")


def check_direction(algorithm: Algorithm, problem: Problem, start: Start, episode: Episode) -> None:
    """Ask it twice for the direction of a task, for which network and data are known to fit.

    Raises:
        ConfigError: it fails, changes what it is given, says something else the next time, or hands
            back anything but `(direction, state, metrics)`; in one line that names it.
    """
    name = f"algorithm={type(algorithm).__module__}.{type(algorithm).__qualname__}"
    found = _asked(name, algorithm, problem, start, episode)
    if not isinstance(found, tuple) or len(found) != 3:
        given = f"{len(found)} things" if isinstance(found, tuple) else f"a {type(found).__name__}"
        raise ConfigError(
            f"{name}: its direction must return (direction, state, metrics), and returns {given}. "
            "For example return direction, adapted.state, adapted.metrics"
        )
    direction, state, metrics = found
    _check_direction(name, direction, start)
    _check_mapping(name, "state", state, "adapted.state of the inner loop, or start.state")
    if lost := [key for key in start.state if key not in state]:
        raise ConfigError(
            f"{name}: its state lacks {lost[0]}, which the inner rule remembers from task to task. "
            "For example return direction, adapted.state, adapted.metrics"
        )
    _check_mapping(name, "metrics", metrics, "{} or adapted.metrics")
    for key, value in metrics.items():
        if not isinstance(value, Tensor) or value.dim():
            given = f"shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)[:40]
            raise ConfigError(
                f"{name}: metrics[{key!r}] must be a scalar tensor, and is {given}. For example "
                "torch.as_tensor(x).mean()"
            )


def _asked(
    name: str, algorithm: Algorithm, problem: Problem, start: Start, episode: Episode
) -> Any:
    """What it hands back, twice the same; what it is given stays as it is."""
    tensors = {f"start.params ({n})": p for n, p in start.params.items()}
    parts = zip(episode._fields, episode, strict=True)
    tensors |= {f"episode.{n}": part for n, part in parts if isinstance(part, Tensor)}
    before = {what: value.clone() for what, value in tensors.items()}
    found = []
    for _ in range(2):
        fresh = replace(problem, net=problem.net.begin(episode))
        ask = partial(algorithm.direction, fresh, start, episode)
        found.append(answered(f"{name}: its direction", ask))
        if changed := [what for what, p in tensors.items() if not torch.equal(p, before[what])]:
            raise ConfigError(
                f"{name}: its direction writes into {changed[0]}, which all tasks start from or "
                "other steps read. Make new tensors: p - x in place of p.sub_(x)"
            )
    if not _alike(*found):
        raise ConfigError(
            f"{name}: its direction is another one when it is asked again, and must hang on its "
            "arguments alone. Let it remember nothing, and take noise from episode.key"
        )
    return found[0]


def _alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same, to the rounding of a device that adds in any order."""
    pairs = zip(pytree.tree_leaves(one), pytree.tree_leaves(other), strict=True)
    return all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-3 * float(a.abs().max()), equal_nan=True)
        for a, b in pairs
        if isinstance(a, Tensor) and a.numel() and a.is_floating_point() and a.shape == b.shape
    )


def _check_direction(name: str, direction: Any, start: Start) -> None:
    """A tensor for each parameter, of its shape."""
    _check_mapping(name, "direction", direction, "{n: p - end[n] for n, p in start.params.items()}")
    for key, p in start.params.items():
        if key not in direction:
            raise ConfigError(
                f"{name}: its direction lacks {key}. It needs an entry for every name of "
                "start.params; zeros leave a parameter where it is"
            )
        value = direction[key]
        if not isinstance(value, Tensor) or value.shape != p.shape:
            given = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ConfigError(
                f"{name}: direction[{key!r}] must have the parameter's shape {list(p.shape)}, and "
                f"has {given}"
            )
        if value.dtype != p.dtype:
            raise ConfigError(
                f"{name}: direction[{key!r}] is in {value.dtype}, and the parameter in {p.dtype}. "
                "Make it with .to(p.dtype)"
            )
    if more := [key for key in direction if key not in start.params]:
        raise ConfigError(f"{name}: its direction has {more[0]}, which no parameter is called")


def _check_mapping(name: str, part: str, value: Any, example: str) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{name}: its {part} must be a dictionary, and is a {type(value).__name__}. For "
            f"example {example}"
        )
