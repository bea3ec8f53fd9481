"""Whether an outer optimizer does what the outer loop asks of it, tried on one parameter."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.core.chance import untouched
from fewstep.messages.errors import ConfigError, first_line


STEPS = 5
"""Steps within which something must have moved."""
LAG = 2
"""Steps within which a rate must be followed: ASGD has its rates a step before."""


def check_optimizer(make: Callable[[list[Tensor]], Any], key: str, falls: bool) -> None:
    """Try whether what is made of some parameters is an optimizer that learns by gradients alone,
    goes on from its checkpoint and, where the rate `falls`, follows it.

    Raises:
        ConfigError: it does not.
    """
    place = nn.Parameter(torch.tensor([0.0, 1.0]))  # zeros alone have no norm to step by
    with untouched():
        made = make([place])
        if not isinstance(made, torch.optim.Optimizer):
            raise ConfigError(
                f"{key}: makes a {type(made).__name__}, which is no optimizer. Let it inherit from "
                "torch.optim.Optimizer"
            )
        _check_sizes(made, key)
        if not any([_moves(made, place, key) for _ in range(STEPS)]):
            raise ConfigError(
                f"{key}: {STEPS} steps with a gradient move nothing, as where a closure is to "
                "compute it again. Use one that steps by the gradient at hand, for example Adam"
            )
        _check_resumes(make, made, place, key)
        for group in made.param_groups if falls else ():
            group["lr"] = 0.0
        if falls and [_moves(made, place, key) for _ in range(LAG)][-1]:
            raise ConfigError(
                f"{key}: moves at a rate of 0, so that it does not follow its groups' lr, and the "
                "rate would not fall. Use final_lr=null, or let it read group['lr']"
            )


def _check_sizes(made: torch.optim.Optimizer, key: str) -> None:
    """A step by a number that single precision does not hold ends in words of torch's insides."""
    most = torch.finfo(torch.float32).max
    for name, value in ((n, v) for group in made.param_groups for n, v in group.items()):
        if isinstance(value, (int, float)) and most < abs(value) < math.inf:
            raise ConfigError(
                f"{key}: its {name}={value:g} is beyond what single precision holds, {most:.2g}. "
                "Use a smaller one"
            )


def _moves(made: torch.optim.Optimizer, place: nn.Parameter, key: str) -> bool:
    """Whether a step with a gradient moves the parameter."""
    before, place.grad = place.detach().clone(), torch.tensor([1.0, 0.5])
    step: Any = made.step
    try:
        step(lambda: None)  # as Lightning calls it
    except Exception as error:  # whatever somebody's optimizer raises
        raise ConfigError(
            f"{key}: cannot take a step with a gradient alone ({type(error).__name__}: {error}). "
            "Use another, for example Adam"
        ) from None
    return not torch.allclose(before, place.detach(), 0.0, 0.0, equal_nan=True)


def _check_resumes(
    make: Callable[[list[Tensor]], Any], made: Any, place: nn.Parameter, key: str
) -> None:
    """Go on with one that was made anew and given the other's state from a file."""
    file, other_place = io.BytesIO(), copy.deepcopy(place)
    other = make([other_place])
    try:
        torch.save(made.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file, weights_only=True))
    except Exception as error:  # whatever pickling, torch or somebody's optimizer raises
        raise ConfigError(
            f"{key}: a checkpoint with its state cannot be read ({first_line(error)[:160]}). Keep "
            "tensors and plain numbers in its `state`"
        ) from None
    for one, where in ((made, place), (other, other_place)):
        torch.manual_seed(0)
        _moves(one, where, key)
    if not torch.allclose(place, other_place, equal_nan=True):
        raise ConfigError(
            f"{key}: goes on otherwise with what a checkpoint has of it, so that a resumed run "
            "would be another. Keep all that it remembers in its `state` or its groups"
        )
