"""A module as a pure function of its parameters."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils import _pytree as pytree

from fewstep.programs import Function, Programs
from fewstep.relay import Follow, to_the_end
from fewstep.types import Params


class Net:
    """`net(params, x) -> outputs`: calls a module with the parameters it is given.

    Batch norm always normalizes with the statistics of the batch at hand and never keeps any
    (the paper's two evaluation protocols differ in what that batch is; paper code, models.py:22).

    A call lends the tensors to the module while it runs, so a `Net` is used by one task at a time:
    `replica()` makes one for another.
    """

    def __init__(
        self, module: nn.Module, functional: bool = False, programs: Programs | None = None
    ) -> None:
        """
        Args:
            module: any network.
            functional: take derivatives with `torch.func`, which `vmap` needs; else autograd.
            programs: where `program` looks; None calls every function as it is.
        """
        self.module = _without_running_statistics(module).train()
        self.functional = functional
        self.programs = programs
        self.follow: Follow = to_the_end
        """How the steps of an inner loop are taken."""
        self._slots = {
            name: (owner._parameters, local)
            for path, owner in module.named_modules()
            for local, value in owner._parameters.items()
            if value is not None
            for name in [f"{path}.{local}" if path else local]
        }

    def params(self) -> Params:
        """The module's own parameters, detached: the same memory, no graph."""
        return {name: owner[local].detach() for name, (owner, local) in self._slots.items()}

    def replica(self) -> Net:
        """A private copy of the module, for another task."""
        return Net(copy.deepcopy(self.module), self.functional)

    def program(self, function: Function, fixed: tuple, args: tuple) -> Callable[..., Any]:
        """`function(net, *fixed, ...)` for arguments of the shapes of `args`, as fast as it goes.

        What it returns is for this net's task. Where an argument asks for gradients it is the
        function itself, for no derivative flows through a program.
        """
        found = None
        if self.programs and not any(leaf.requires_grad for leaf in pytree.tree_leaves(args)):
            found = self.programs.find(self, function, fixed, args)
        return found or functools.partial(function, self, *fixed)

    def run(self, function: Function, fixed: tuple, *args: Any) -> Any:
        """`function(net, *fixed, *args)`, as a program where there are programs."""
        return self.program(function, fixed, args)(*args)

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Outputs [B, ...] for inputs [B, *x]. `params` has every name that `params()` has."""
        own = {}
        try:
            for name, (owner, local) in self._slots.items():
                own[name] = owner[local]
                owner[local] = params[name]
            return self.module(x)
        finally:
            for name, value in own.items():
                owner, local = self._slots[name]
                owner[local] = value

    def value_and_grad(
        self, f: Callable[[Params], tuple[Tensor, Any]], params: Params
    ) -> tuple[Any, Params]:
        """`(aux, gradient)` of `f(params) -> (scalar, aux)`.

        The gradient can itself be differentiated exactly when `params` can: an inner loop that
        starts from tensors without a graph is first order, whoever calls it.
        """
        if self.functional:
            grads, (_, aux) = torch.func.grad_and_value(f, has_aux=True)(params)
            return aux, grads
        second_order = any(p.requires_grad for p in params.values())
        leaves = params if second_order else {n: p.requires_grad_() for n, p in _alias(params)}
        with torch.enable_grad():
            value, aux = f(leaves)
            grads = torch.autograd.grad(
                value, list(leaves.values()), create_graph=second_order, materialize_grads=True
            )
        return aux, dict(zip(leaves, grads, strict=True))


def _alias(params: Params) -> list[tuple[str, Tensor]]:
    """The same memory under new tensors, so that asking for gradients marks nobody else's."""
    return [(name, p.detach()) for name, p in params.items()]


def _without_running_statistics(module: nn.Module) -> nn.Module:
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module
