"""Trees of tensors, as the states of rules are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.types import Params, State


def detach_state(state: State) -> State:
    """The same values without a graph."""
    return {
        name: detach_state(value) if isinstance(value, dict) else value.detach()
        for name, value in state.items()
    }


def own(tree: Any) -> Any:
    """The same tensors in dictionaries of one's own, for somebody who may put others into them."""
    return {name: own(value) for name, value in tree.items()} if isinstance(tree, dict) else tree


def place_state(state: State, params: Params) -> State:
    """The same values where the parameters are, in the precision of each, or else of the first of
    them; counters stay integers."""
    first = next(iter(params.values()))

    def placed(name: str, value: Tensor) -> Tensor:
        like = params.get(name, first)
        return value.to(like.device, like.dtype if value.is_floating_point() else value.dtype)

    return {
        name: place_state(value, params) if isinstance(value, dict) else placed(name, value)
        for name, value in state.items()
    }


def inner_product(one: Params, other: Params) -> Tensor:
    """The sum of the products of all entries that `one` has."""
    first, *rest = ((value * other[name]).sum() for name, value in one.items())
    return sum(rest, start=first)


def total_of(trees: Sequence[Any]) -> Any:
    """The sum of trees of tensors, as states are, of one structure and in their order."""
    leaves, structure = zip(*map(pytree.tree_flatten, trees), strict=True)
    sums = [sum(same[1:], start=same[0]) for same in zip(*leaves, strict=True)]
    return pytree.tree_unflatten(sums, structure[0])
