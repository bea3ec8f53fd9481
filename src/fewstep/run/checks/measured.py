"""What a user's own objective measures of tasks, held against what a run can add up and report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fewstep.adapters.meta_test import predict
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Params
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import answered, asked_twice, tensors_of
from fewstep.run.checks.diagnosis import Place, explained
from fewstep.run.testing.results import TAKEN


TASKS = 3
"""Of a split that are looked at."""

Tasks = Iterable[tuple[Params, Episode]]
"""Where each of them starts, and what it is."""


def check_figures(whose: str, figures: Mapping[Any, Any]) -> None:
    """Refuse figures that results.json cannot hold.

    Raises:
        ConfigError: naming one, in a line that begins with `whose`.
    """
    for name, value in figures.items():
        if not isinstance(name, str):
            raise ConfigError(
                f"{whose} gives a figure under {name!r}, and their names are texts. For example "
                f'"my_{name}"'
            )
        if name in TAKEN:
            raise ConfigError(
                f"{whose} gives {name}, which results.json has of its own. Call it something else, "
                f"for example my_{name}"
            )
        if not isinstance(value, Tensor) or value.ndim or not value.is_floating_point():
            found = form(value) if not isinstance(value, Tensor) or value.ndim else value.dtype
            raise ConfigError(
                f"{whose} gives {found} as {name}: must be a tensor of one number with a fraction, "
                "made without .item() or float(). For example losses.mean()"
            )


def check_training(place: Place, problem: Problem, tasks: Tasks) -> None:
    """Refuse metrics that go by other names in one training task than in another.

    Raises:
        ConfigError: naming the objective.
    """
    whose = f"{of_objective(place, problem.objective)}.metrics"
    found: dict[str, list[Mapping]] = {"first": [], "queries": []}
    for params, episode in tasks:
        for part, each in found.items():
            examples = getattr(problem, part)(episode)
            if not len(examples.x):
                continue
            with explained(place), torch.no_grad():
                outputs = problem.net(params, examples.x, examples.given)
                ask = partial(problem.metrics, outputs, examples)
                each.append(answered(f"{whose} of a training task", ask))
    for each in found.values():
        _check_same_names(whose, each)


def check_test(place: Place, problem: Problem, protocol: str, tasks: Tasks) -> None:
    """Refuse metrics, and what it probes besides, that go by other names in one test task than in
    another, or by the same as each other.

    Raises:
        ConfigError: naming the objective.
    """
    whose = of_objective(place, problem.objective)
    metrics, probed = [], []
    for params, episode in tasks:
        with explained(place), torch.no_grad():
            outputs = predict(problem, params, episode, protocol)
            ask = partial(problem.metrics, outputs, problem.queries(episode))
            metrics.append(answered(f"{whose}.metrics of a test task", ask))
            if hasattr(problem.objective, "probe"):
                probed.append(_probed(f"{whose}.probe", problem, params, episode))
                _check_apart(f"{whose}.probe", probed[-1], metrics[-1])
    _check_same_names(f"{whose}.metrics", metrics)
    _check_same_names(f"{whose}.probe", probed)


def _probed(whose: str, problem: Problem, params: Params, episode: Episode) -> Mapping[str, Tensor]:
    objective: Any = problem.objective
    ask = partial(objective.probe, problem.net, params, episode)
    found = asked_twice(whose, ask, tensors_of(params, episode, "params"))
    if not isinstance(found, Mapping):
        raise ConfigError(
            f"{whose} gives {form(found)}: must be a dictionary of figures, which may be empty. "
            'For example {"largest": params["head.weight"].abs().max()}'
        )
    check_figures(whose, found)
    return found


def _check_apart(whose: str, probed: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Results would hold one of the two."""
    for name in probed:
        if name in metrics:
            raise ConfigError(
                f"{whose} gives {name}, which its metrics give as well. Call it something else, "
                f"for example my_{name}"
            )


def _check_same_names(whose: str, figures: Sequence[Mapping[str, Any]]) -> None:
    """They are added up over tasks, by name."""
    for other in figures[1:]:
        if list(other) != list(figures[0]):
            here, there = (", ".join(map(str, each)) or "nothing" for each in (figures[0], other))
            raise ConfigError(
                f"{whose} gives {here} for one task and {there} for another, and figures are added "
                "up over tasks. Let it measure the same in every task, in one order"
            )


def form(value: Any) -> str:
    """`a tensor of [10, 5]`, or the kind of whatever else it is."""
    if isinstance(value, Tensor):
        return f"a tensor of {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"a dictionary ({', '.join(map(str, value))})"
    return "None" if value is None else f"a {type(value).__name__}"


def of_objective(place: Place, objective: Objective) -> str:
    """What messages about an objective begin with."""
    return f"dataset={place.dataset}: its objective {type(objective).__name__}"
