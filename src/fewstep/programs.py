"""Pure functions of tensors, each traced once and then run as one program.

A small network's inner step is some hundred kernels of a few microseconds, and the interpreter
takes as long again to launch them, while no other thread may run. A program holds the derivative
too: it is what autograd did, written down.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.torchscript import compile_graph


if TYPE_CHECKING:
    from fewstep.net import Net


TOLERANCE = 1e-4
"""How far a program may be from its function at its first inputs, relative to the largest entry.
The same kernels in the same order leave a rounding at most, which dropout does not."""

Function = Callable[..., Any]
"""`function(net, *fixed, *args)`: `args` and what comes back are tensors in dictionaries, lists
and tuples. It may write into `args`. What it reads besides is a constant."""


class Unfaithful(ValueError):
    """A program does not compute what its function does."""


class Programs:
    """The programs of one network, shared by the threads that run it."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Callable | None, tuple]] = {}
        self._lock = threading.Lock()

    def find(self, net: Net, function: Function, fixed: tuple, args: tuple) -> Callable | None:
        """What may be called with `args`, or others of their shapes, in place of the function.

        None, with a warning, for a function that cannot be traced (control flow that depends on
        values, say) or that is random: it is to be called as it is, slower and right.
        """
        leaves = pytree.tree_leaves(args)
        key = (function, *(_key(value) for value in fixed), *(_signature(leaf) for leaf in leaves))
        if key not in self._known:
            with self._lock:
                if key not in self._known:  # another thread may have been first
                    # A key by identity is good for as long as what it stands for is kept.
                    self._known[key] = (_program(net.replica(), function, fixed, args), fixed)
        return self._known[key][0]


def _program(net: Net, function: Function, fixed: tuple, args: tuple) -> Callable | None:
    def plain(*args: Any) -> Any:
        return function(net, *fixed, *args)

    expected = plain(*_copy(args))  # an error of the function's own is not about programs
    try:
        program = _trace(plain, args)
        _check(program(*_copy(args)), expected)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        name = getattr(function, "__qualname__", function)
        warnings.warn(f"{name} runs without a program, which is slower: {reason}", stacklevel=2)
        return None
    return program


def _trace(plain: Function, args: tuple) -> Function:
    from torch.fx.experimental.proxy_tensor import make_fx  # a second to import

    leaves, structure = pytree.tree_flatten(_copy(args))
    results = None

    def flat(*leaves: Tensor) -> list[Tensor]:
        nonlocal results
        outputs, results = pytree.tree_flatten(plain(*pytree.tree_unflatten(leaves, structure)))
        return outputs

    program, constants = compile_graph(make_fx(flat)(*leaves), leaves)

    def run(*args: Any) -> Any:
        with torch.no_grad():  # derivatives are part of the program
            outputs = program(*pytree.tree_leaves(args), *constants)
        return pytree.tree_unflatten(list(outputs), results)

    return run


def _check(ours: Any, expected: Any) -> None:
    pairs = zip(pytree.tree_leaves(ours), pytree.tree_leaves(expected), strict=True)
    for one, other in pairs:
        scale = max(0.01, other.abs().max().item()) if other.numel() else 1.0
        if not torch.allclose(one, other, rtol=0, atol=TOLERANCE * scale, equal_nan=True):
            raise Unfaithful("two calls with the same inputs differ")


def _copy(args: tuple) -> tuple:
    return pytree.tree_map(lambda leaf: leaf.detach().clone(), args)


def _key(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _signature(leaf: Tensor) -> Sequence[Any]:
    return leaf.shape, leaf.stride(), leaf.dtype, leaf.device
