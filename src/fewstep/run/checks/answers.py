"""What a network answers, and what an objective makes of it, held against what a run needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.objectives import Classification, Objective, Regression, are_shares
from fewstep.core.types import Examples, Params
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.diagnosis import Place, no_fit, one_line
from fewstep.run.checks.measured import check_figures, form, of_objective
from fewstep.run.checks.own_objective import ask_twice


def check_answers(place: Place, outputs: Any, examples: Examples, objective: Objective) -> None:
    """Hold the outputs for some examples, and their losses and metrics, against their contracts.

    Raises:
        ConfigError: naming what is answered, what is needed and the way out.
    """
    targets = examples.y
    _check_outputs(place, outputs, targets, objective)
    for name in ("inner_loss", "outer_loss"):
        loss = _made(place, objective, name, outputs, examples)
        if not isinstance(loss, Tensor) or loss.shape != targets.shape[:1]:
            raise ConfigError(
                f"{of_objective(place, objective)}.{name} gives {form(loss)} for {len(targets)} "
                f"examples: must be the loss of each, a tensor of [{len(targets)}], for example "
                'with reduction="none"'
            )
        _check_finite(place, loss, f"the {name} of an untrained network")
    _check_metrics(place, objective, _made(place, objective, "metrics", outputs, examples))


def check_derivative(place: Place, gradient: Params) -> None:
    """Refuse a gradient that is not finite before anything has been learned.

    Raises:
        ConfigError: naming the parameter.
    """
    for name, grad in gradient.items():
        _check_finite(place, grad, f"the gradient of {name} at the start")


def check_sound(place: Place, direction: Any) -> None:
    """Refuse a first direction that is not finite, of a tree of tensors: one outer step with it
    would ruin every weight.

    Raises:
        ConfigError: naming a parameter, and the numbers that the direction hangs on.
    """
    for path, value in pytree.tree_flatten_with_path(direction)[0]:
        if torch.isfinite(value).all():
            continue
        name = getattr(path[-1], "key", "a parameter")
        numbers = [f"{key}={number}" for key, number in _numbers(place).items()]
        raise ConfigError(
            f"{place.algorithm}: its direction for {name} is not finite on the first "
            f"training task, and one outer step would ruin the network. It hangs on "
            f"{', '.join(numbers)}. Use a lower rate, or the usual value of what was changed"
        )


def _numbers(place: Place) -> dict[str, float]:
    """Those with a fraction that the algorithm and its inner rule are made of, by their keys."""
    algorithm = place.experiment.recipe.algorithm
    made = {f"algorithm.inner.options.{n}": v for n, v in vars(algorithm.inner.rule).items()}
    made["algorithm.inner.lr"] = made.pop("algorithm.inner.options.lr", None)
    made |= {f"{place.key}.{n}": v for n, v in vars(algorithm).items()}
    return {key: value for key, value in made.items() if isinstance(value, float)}


def _check_outputs(place: Place, outputs: Any, targets: Tensor, objective: Objective) -> None:
    if isinstance(outputs, Mapping) and not isinstance(objective, (Classification, Regression)):
        for entry in outputs.values():  # what an objective of one's own is made for
            _check_outputs(place, entry, targets, objective)
        return
    if not isinstance(outputs, Tensor):
        raise ConfigError(
            f"{place.model}: its forward returns {form(outputs)}: must be one tensor, an entry an "
            "example. Return the logits alone, or wrap the network in a module that does"
        )
    if not outputs.is_floating_point():
        raise ConfigError(
            f"{place.model}: its forward returns {outputs.dtype}, which has no derivative. Return "
            "the logits, not the classes"
        )
    if not outputs.ndim or len(outputs) != len(targets):
        raise ConfigError(
            f"{place.model}: its forward returns {form(outputs)} for {len(targets)} examples: must "
            "be an entry an example, however many there are. Reshape with x.flatten(1), which "
            "takes any number of them"
        )
    ways = _ways(place)
    if isinstance(objective, Classification) and outputs.shape[1:] != (ways,):
        raise ConfigError(no_fit(place, f"it answers with {form(outputs)}, not [examples, {ways}]"))
    if are_shares(objective, outputs):
        raise ConfigError(
            f"{place.model}: its forward returns probabilities, which sum to 1, and the loss takes "
            "a softmax of them again. Return the logits: what is before the softmax"
        )
    if isinstance(objective, Regression) and outputs.shape != targets.shape:
        shape = list(targets.shape)
        raise ConfigError(no_fit(place, f"it answers with {form(outputs)}, not {shape}"))
    _check_finite(place, outputs, "what an untrained network answers")


def _ways(place: Place) -> int:
    """Of the task that is tried."""
    if place.spec.varies and place.episode is not None:
        return int(place.episode.support_y.max()) + 1
    return place.spec.ways


def _check_finite(place: Place, values: Tensor, what: str) -> None:
    if torch.isfinite(values).all():
        return
    if place.episode is not None and not torch.isfinite(place.episode.support_x).all():
        raise ConfigError(
            f"dataset={place.dataset}: the inputs of a task hold values that are not finite. "
            "Correct the data"
        )
    raise ConfigError(
        f"{place.model}: {what} is not finite, and nothing can be learned from there. Look for a "
        "division by zero, a logarithm or a root of zero, or initial weights that are too large"
    )


def _check_metrics(place: Place, objective: Objective, metrics: Any) -> None:
    whose = f"{of_objective(place, objective)}.metrics"
    if not isinstance(metrics, Mapping) or "loss" not in metrics:
        raise ConfigError(
            f"{whose} gives {form(metrics)}: must be a dictionary with a loss, by which results "
            'are reported. For example {"loss": losses.mean()}'
        )
    check_figures(whose, metrics)


def _made(place: Place, objective: Objective, name: str, outputs: Any, examples: Examples) -> Any:
    if getattr(objective, name, None) is None:
        raise ConfigError(
            f"{of_objective(place, objective)} has no {name}. It needs inner_loss, outer_loss and "
            "metrics"
        )
    try:
        return ask_twice(objective, name, outputs, examples)
    except ConfigError as error:
        raise ConfigError(f"{of_objective(place, objective)}.{name} {error}") from None
    except Exception as error:  # whatever somebody's objective raises
        raise ConfigError(
            f"{of_objective(place, objective)}.{name} fails on {_shape(outputs)} and "
            f"targets of {list(examples.y.shape)} ({one_line(error)}). Correct it, or the "
            "network's sizes"
        ) from None


def _shape(outputs: Any) -> str:
    return f"outputs of {list(outputs.shape)}" if isinstance(outputs, Tensor) else form(outputs)
