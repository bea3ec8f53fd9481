"""What a network's layers remember besides their parameters, so that each task has its own.

A buffer or an attribute that a forward pass writes starts each task at the module's value, lives
for that task and is dropped with it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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

Mark = tuple[int, list[Memory] | None]
"""How many forward passes a task has had, and what each layer remembered then."""


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


@contextmanager
def forgetting(layers: Iterable[nn.Module]) -> Iterator[None]:
    """What layers remember inside besides their parameters is forgotten afterwards."""
    own = [(layer, memory_of(layer)) for layer in layers]
    try:
        yield
    finally:
        for layer, memory in own:
            remember(layer, memory)


def copies(values: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors anew, and whatever else can be copied; layers and parameters as they are."""
    return {name: _copy_of(value) for name, value in values.items()}


def _copy_of(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    held = [*_held(value)]
    try:
        return copy.deepcopy(value, {id(one): one for one in held})
    except Exception:  # whatever copying somebody's object raises: it is shared then
        return value


def _is_computed(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.is_leaf


def _held(value: Any) -> Iterator[Any]:
    """Layers, and tensors that a copy should share, in containers of any depth."""
    if isinstance(value, (nn.Module, nn.Parameter)) or _is_computed(value):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _held(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _held(one)


def without_running_statistics(module: nn.Module) -> nn.Module:
    """The module, whose norms always use the statistics of the batch at hand and keep none (the
    paper's two evaluation protocols differ in what that batch is; paper code, models.py:22)."""
    for layer in module.modules():
        if isinstance(layer, _NormBase):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module


def slots_of(module: nn.Module) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """Where each trainable parameter is lent to: every dictionary that holds it, and under which
    name there."""
    slots: dict[int, tuple[str, list[tuple[dict[str, Any], str]]]] = {}
    for path, owner in module.named_modules():
        for local, parameter in owner._parameters.items():
            if parameter is not None and parameter.requires_grad:
                name = f"{path}.{local}" if path else local
                slots.setdefault(id(parameter), (name, []))[1].append((owner._parameters, local))
    return dict(slots.values())
