"""What a network's layers remember besides their parameters, so that each task has its own.

A buffer or an attribute that a forward pass writes starts each task at the module's value, lives
for that task and is dropped with it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


MODULE = frozenset(vars(nn.Module()))
"""What every module has of PyTorch's own: its mode, parameters, buffers and hooks."""


def copied(module: nn.Module) -> nn.Module:
    """A deep copy, also of what old weight norms and pruning leave: weights that were computed."""
    computed = {
        id(value): value.detach().clone()
        for layer in module.modules()
        for value in vars(layer).values()
        if isinstance(value, Tensor) and value.grad_fn is not None
    }
    return copy.deepcopy(module, computed)


Memory = tuple[dict[str, Any], dict[str, Any]]
"""A layer's buffers and its other attributes."""


def memory_of(layer: nn.Module) -> Memory:
    """What a layer remembers besides its parameters, copied."""
    own = {name: value for name, value in vars(layer).items() if name not in MODULE}
    return copies(layer._buffers), copies(own)


def remember(layer: nn.Module, memory: Memory) -> None:
    """Have a layer remember what it did when `memory_of` was asked."""
    buffers, attributes = memory
    layer._buffers.update(copies(buffers))
    for name in [name for name in vars(layer) if name not in MODULE and name not in attributes]:
        del layer.__dict__[name]
    layer.__dict__.update(copies(attributes))


def copies(values: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors and containers anew, the rest as it is; of a container the outermost alone."""
    return {
        name: value.clone()
        if isinstance(value, Tensor)
        else type(value)(value)
        if type(value) in (list, dict, set)
        else value
        for name, value in values.items()
    }


def without_running_statistics(module: nn.Module) -> nn.Module:
    """The module, whose norms always use the statistics of the batch at hand and keep none (the
    paper's two evaluation protocols differ in what that batch is; paper code, models.py:22)."""
    for layer in module.modules():
        if isinstance(layer, _NormBase):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module
