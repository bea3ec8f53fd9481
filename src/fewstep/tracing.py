"""A pure function of tensors, written down as a program and held against what it was.

A trace knows the values of one call. Whatever could carry one of them into the program, so that it
would be wrong for others, is refused: reading a value, a shape that depends on values, chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from fewstep.torchscript import compile_graph


ROUNDINGS = 100
"""How many last digits a program may be from its function, of the larger entries: the same kernels
in the same order, but sums may be split otherwise."""
CHECKED_AT = ((1.0, 0.1), (0.75, 0.2))
"""Factor and summand of the arguments that a program is checked with. Not the arguments themselves:
where Adam remembers squares of rounding, as it does for a bias in front of a batch norm, it makes
whole steps of the last digits, and two right programs differ."""
READS = {Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.__dlpack__, Tensor.item}
READS |= {Tensor.__repr__, Tensor.__format__, Tensor.tensor_split, torch.tensor_split}
TRIES = 3
"""Traces before a function is taken to draw random numbers: the generators are those of the whole
process, so that it may have been another thread that drew."""


class Unfaithful(ValueError):
    """A program would not compute what its function does."""


class _Unread(TorchFunctionMode):
    """Refuses to hand values to Python, where no trace can follow them."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func in READS:
            raise Unfaithful(f"it reads values ({getattr(func, '__name__', func)})")
        return func(*args, **(kwargs or {}))


def trace(function: Callable[..., Any], args: tuple) -> Callable[..., Any]:
    """A program that does what the function does, for arguments of the shapes of `args`.

    Raises:
        Unfaithful: it reads values, draws random numbers, or the program finds something else.
        Inexpressible: it does what a program cannot.
        Exception: whatever the function itself raises.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # a second to import

    structure, results = pytree.tree_structure(args), None

    def flat(*leaves: Tensor) -> list[Tensor]:
        nonlocal results
        with _Unread():
            outputs = function(*pytree.tree_unflatten(leaves, structure))
        outputs, results = pytree.tree_flatten(outputs)
        return outputs

    for _ in range(TRIES):
        chance = _chance()
        graph = make_fx(flat)(*pytree.tree_leaves(_copy(args)))
        if _chance() == chance:
            break
    else:
        raise Unfaithful("it draws random numbers")
    program, constants, fixed = compile_graph(graph, pytree.tree_leaves(_copy(args)))

    def run(*args: Any) -> Any:
        with torch.no_grad():  # derivatives are part of the program
            outputs = list(program(*pytree.tree_leaves(args), *constants))
        for place in fixed:
            outputs[place] = outputs[place].clone()  # not the program's own, which is kept
        return pytree.tree_unflatten(outputs, results)

    for place in CHECKED_AT:
        before, ours, theirs = (_copy(args, *place) for _ in range(3))
        leaves = [pytree.tree_leaves(values) for values in (before, ours, theirs)]
        found, expected = run(*ours), function(*theirs)
        # An argument that is only read says nothing of how large the results are.
        written = [
            (o, t)
            for b, o, t in zip(*leaves, strict=True)
            if not (torch.equal(b, o) and torch.equal(b, t))
        ]
        _check((found, [o for o, _ in written]), (expected, [t for _, t in written]))
    return run


def _copy(args: tuple, factor: float = 1.0, summand: float = 0.0) -> tuple:
    def copied(leaf: Tensor) -> Tensor:
        copy = torch.empty_strided(
            leaf.shape, leaf.stride(), dtype=leaf.dtype, device=leaf.device
        ).copy_(leaf.detach())
        return copy.mul_(factor).add_(summand) if copy.is_floating_point() else copy

    return pytree.tree_map(copied, args)


def _chance() -> tuple:
    """Where the generators of random numbers are."""
    kind, keys, place, *_ = np.random.get_state()
    return random.getstate(), kind, keys.tobytes(), place, torch.get_rng_state().numpy().tobytes()


def _check(ours: Any, theirs: Any) -> None:
    """Compare results, and arguments that may have been written into."""
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
