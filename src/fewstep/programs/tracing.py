"""A pure function of tensors, written down as a program and held against what it was.

Besides what `faithful` refuses, no value may be read and no shape may depend on values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from fewstep.programs.faithful import Unfaithful, chance, copied, verify
from fewstep.programs.torchscript import compile_graph


READS = {Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.__dlpack__, Tensor.item}
READS |= {Tensor.__repr__, Tensor.__format__, Tensor.tensor_split, torch.tensor_split}
TRIES = 3
"""Traces before a function is taken to draw random numbers: the generators are those of the whole
process, so that it may have been another thread that drew."""


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

    structure = pytree.tree_structure(args)
    results: pytree.TreeSpec

    def flat(*leaves: Tensor) -> list[Tensor]:
        nonlocal results
        with _Unread():
            outputs = function(*pytree.tree_unflatten(leaves, structure))
        outputs, results = pytree.tree_flatten(outputs)
        return outputs

    for _ in range(TRIES):
        before = chance()
        graph = make_fx(flat)(*pytree.tree_leaves(copied(args)))
        if chance() == before:
            break
    else:
        raise Unfaithful("it draws random numbers")
    program, constants, fixed = compile_graph(graph, pytree.tree_leaves(copied(args)))

    def run(*args: Any) -> Any:
        with torch.no_grad():  # derivatives are part of the program
            outputs = list(program(*pytree.tree_leaves(args), *constants))
        for place in fixed:
            outputs[place] = outputs[place].clone()  # not the program's own, which is kept
        return pytree.tree_unflatten(outputs, results)

    verify(run, function, args)
    return run
