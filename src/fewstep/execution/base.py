"""How the tasks of a meta-batch are run: one after another, in threads, or under `vmap`.

Every way gives the same results, to rounding; which is fastest is a matter of the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch.utils import _pytree as pytree

from fewstep.core.traits import Traits
from fewstep.core.types import Episode
from fewstep.messages.errors import ConfigError


CPU_THREADS = torch.get_num_threads()
"""What PyTorch was given (its own choice, or OMP_NUM_THREADS) before we share it out."""

PerTask = Callable[..., Any]
"""`function(net, *shared, episode)`: a pure function of one task and of what all tasks share, the
parameters above all. Both come and go as tensors in dictionaries, lists and tuples."""


class Execution(Protocol):
    """A way of running one pure function over the tasks of a meta-batch."""

    name: str
    traits: Traits
    """Of the network."""

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        """`[function(net, *shared, episode) for episode in episodes]`, in that order."""
        ...

    def total(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> Any:
        """The sum of what `map` finds."""
        ...


class OneByOne:
    """Each task's result is at hand, and they are added in task order, whoever came first."""

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        raise NotImplementedError

    def total(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> Any:
        trees = self.map(function, shared, episodes)
        leaves, structure = pytree.tree_flatten(trees[0])
        sums = [leaf.clone() for leaf in leaves]
        for tree in trees[1:]:
            more, other = pytree.tree_flatten(tree)
            if other != structure:
                raise ConfigError(
                    "algorithm: its direction, state or metrics, which may be those of the "
                    "dataset's objective, have other names, or names in another order, for one "
                    f"task than for another{_odd(tree, trees[0])}, and are added up over tasks. "
                    "Give every task the same"
                )
            torch._foreach_add_(sums, more)  # one call for some forty tensors
        return pytree.tree_unflatten(sums, structure)


def _odd(one: Any, other: Any) -> str:
    """` (name)` of what one tree has and another has not; nothing where it is the order alone."""
    paths = ({keys for keys, _ in pytree.tree_flatten_with_path(tree)[0]} for tree in (one, other))
    odd = [keys[-1] for keys in set.symmetric_difference(*paths) if keys]
    return f" ({min(str(getattr(key, 'key', key)) for key in odd)})" if odd else ""
