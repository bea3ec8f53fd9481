"""Is what was written down the same as the function? Held against it on other values.

A trace or a recording knows the values of one call. Whatever could carry one of them into it, so
that it would be wrong for others, is refused: reading a value, chance, a result that differs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree


ROUNDINGS = 100
"""How many last digits two results may be apart, of the larger entries: the same kernels in the
same order, but sums may be split otherwise."""
CHECKED_WITH = (1, 2)
"""Seeds of the values that are checked with. They hang on shapes alone and not on the arguments, so
that a function has a program or none whatever a network has learned: the two may differ in their
last digits, and a resumed run, or an evaluation, is to do what the first run did."""
SPREAD = 0.1
"""Standard deviation of these values, about what weights have."""


class Unfaithful(ValueError):
    """It would not compute what the function does."""


def verify(ours: Callable[..., Any], function: Callable[..., Any], args: tuple) -> None:
    """Call both on values other than `args`, of their shapes and layouts.

    Raises:
        Unfaithful: results differ, or arguments that were written into.
    """
    for seed in CHECKED_WITH:
        before, mine, theirs = (others(args, seed) for _ in range(3))
        leaves = [pytree.tree_leaves(values) for values in (before, mine, theirs)]
        found, expected = ours(*mine), function(*theirs)
        # An argument that is only read says nothing of how large the results are.
        written = [
            (o, t)
            for b, o, t in zip(*leaves, strict=True)
            if not (torch.equal(b, o) and torch.equal(b, t))
        ]
        _compare((found, [o for o, _ in written]), (expected, [t for _, t in written]))


def copied(args: tuple) -> tuple:
    """Copies of all tensors in their memory order."""
    return pytree.tree_map(lambda leaf: _like(leaf).copy_(leaf.detach()), args)


def others(args: tuple, seed: int) -> tuple:
    """Tensors of the same kinds with other values where these are fractions; what is nowhere
    negative (squares that Adam remembers, pixels) stays so."""
    generator = torch.Generator().manual_seed(seed)

    def other(leaf: Tensor) -> Tensor:
        if not leaf.is_floating_point():
            return _like(leaf).copy_(leaf)
        values = SPREAD * torch.randn(leaf.shape, generator=generator)
        return _like(leaf).copy_(values if bool((leaf < 0).any()) else values.abs())

    return pytree.tree_map(other, args)


def _like(leaf: Tensor) -> Tensor:
    return torch.empty_strided(leaf.shape, leaf.stride(), dtype=leaf.dtype, device=leaf.device)


def chance() -> tuple:
    """Where the generators of random numbers are; another place afterwards means that they were
    asked for some."""
    numpy = np.random.get_state()
    assert isinstance(numpy, tuple), "a dictionary is another form, which has to be asked for"
    kind, keys, place, *_ = numpy
    return random.getstate(), kind, keys.tobytes(), place, torch.get_rng_state().numpy().tobytes()


def _compare(ours: Any, theirs: Any) -> None:
    found, expected = pytree.tree_leaves(ours), pytree.tree_leaves(theirs)
    largest: dict[torch.dtype, float] = {}
    for leaf in expected:
        largest[leaf.dtype] = max(largest.get(leaf.dtype, 0.0), _largest(leaf))
    for one, other in zip(found, expected, strict=True):
        if not other.is_floating_point():
            same = torch.equal(one, other)
        else:
            finite = other.isfinite()
            scale = max(_largest(other), 0.1 * largest[other.dtype])
            atol = ROUNDINGS * torch.finfo(other.dtype).eps * scale
            rest = torch.equal(one.isfinite(), finite) and torch.allclose(
                one[~finite], other[~finite], equal_nan=True
            )
            same = rest and torch.allclose(one[finite], other[finite], rtol=0, atol=atol)
        if not same:
            raise Unfaithful("the program that was written finds something else")


def _largest(leaf: Tensor) -> float:
    if not leaf.is_floating_point() or not leaf.isfinite().any():
        return 0.0
    return float(leaf[leaf.isfinite()].abs().max())
