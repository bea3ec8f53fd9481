"""What tasks hand over together for a user's own algorithm, and what it makes of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.algorithms import Algorithm
from fewstep.core.types import Params
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import asked_twice, check_like, check_mapping


EXAMPLE = '{"sums": features.sum(0)}'


def check_upload(name: str, ask: Callable[[], Any], given: Mapping[str, Tensor]) -> None:
    """Ask twice for what a task hands over; what it is given, by name, stays as it is.

    Raises:
        ConfigError: it fails, or hands over anything but tensors by name; in one line that begins
            with `name`.
    """
    found = asked_twice(f"{name}: its upload", ask, given)
    check_mapping(name, "upload", found, EXAMPLE)
    for key, value in found.items():
        if not isinstance(value, Tensor):
            raise ConfigError(
                f"{name}: upload[{key!r}] must be a tensor, which is summed over tasks and ranks, "
                f"and is a {type(value).__name__}. For example {EXAMPLE}"
            )


def check_together(
    name: str, algorithm: Algorithm, module: nn.Module, params: Params, uploads: Params
) -> None:
    """Ask twice for the directions that a whole meta-batch's uploads give, for some names.

    Raises:
        ConfigError: it fails, changes the parameters, says something else the next time, which
            ranks would not agree on, or hands back what no parameter could be moved by.
    """
    given = {f"params ({n})": p for n, p in params.items()}
    ask = partial(algorithm.together, module, params, uploads)
    found = asked_twice(f"{name}: its together", ask, given)
    check_mapping(name, "together", found, "{n: 0.1 * params[n] for n in some}")
    if more := [key for key in found if key not in params]:
        raise ConfigError(
            f"{name}: its together has {more[0]}, which no parameter is called. They are "
            f"{', '.join(params)}"
        )
    check_like(f"{name}: together", found, params)
    if odd := [key for key, value in found.items() if not torch.isfinite(value).all()]:
        raise ConfigError(
            f"{name}: its together[{odd[0]!r}] is not finite after the first meta-batch, and one "
            "outer step would ruin the network. Look for a division by zero"
        )
