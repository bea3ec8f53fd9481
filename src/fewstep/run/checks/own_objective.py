"""Whether a user's own losses and metrics hang on what they are given alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import detached
from fewstep.core.objectives import Objective, ask
from fewstep.core.types import Examples
from fewstep.messages.errors import ConfigError


def ask_twice(objective: Objective, name: str, outputs: Any, examples: Examples) -> Any:
    """What its method of this name says of some outputs, on copies of them.

    Raises:
        ConfigError: it writes into them, or says something else the next time; what is the matter
            and the way out, without who is meant.
        Exception: whatever it raises itself.
    """
    given = detached(outputs), examples.y
    found = []
    for _ in range(2):
        outputs, targets = pytree.tree_map_only(Tensor, torch.clone, given)
        found.append(ask(objective, name, outputs, targets, examples.given))
        if not _same((outputs, targets), given):
            raise ConfigError(
                "writes into the outputs or the targets, which other steps are to read. Make new "
                "tensors: targets - outputs in the place of targets.sub_(outputs)"
            )
    if not _same(*found):
        raise ConfigError(
            "gives something else when it is asked again, and must hang on its arguments alone. "
            "Let it draw nothing and remember nothing"
        )
    return found[0]


def _same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same tensors, to the rounding of a device that adds in any order;
    of what are none nothing is said."""
    pairs = zip(pytree.tree_leaves(one), pytree.tree_leaves(other), strict=False)
    both = [(a, b) for a, b in pairs if isinstance(a, Tensor) and isinstance(b, Tensor)]
    return all(a.shape == b.shape and _near(a, b) for a, b in both)


def _near(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-8, equal_nan=True)
