"""Networks that are too large for the machine, or that have no sizes yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from fewstep.config import room
from fewstep.messages.errors import ConfigError


MAKERS = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
"""Functions that make a tensor of a shape."""
COPIES = 3
"""Of a parameter, that training has at the least: itself, a task's own, and its gradient."""
LARGE = 64 << 20
"""Bytes from which a new tensor is held against what the machine has left."""


def with_sizes(make: Callable[[], nn.Module], config: Mapping[str, Any]) -> nn.Module:
    """The module that is made.

    Raises:
        ConfigError: one that no memory could hold, or whose parameters wait for a first batch to
            learn their sizes.
    """
    with _Bounded():
        module = make()
    if not isinstance(module, nn.Module):
        return module  # which others refuse
    for name, layer in module.named_modules():
        if any(map(is_lazy, (*layer._parameters.values(), *layer._buffers.values()))):
            eager = type(layer).__name__.replace("Lazy", "")
            raise ConfigError(
                f"model={config['_target_']}: its layer {name or 'itself'} "
                f"({type(layer).__name__}) has no sizes before it has met data. Give them, with "
                f"nn.{eager}"
            )
    return module


def check_copies(module: nn.Module, config: Mapping[str, Any]) -> None:
    """Refuse a network of which a task cannot have a copy, a gradient and a direction.

    Raises:
        ConfigError: naming the bytes.
    """
    one = sum(p.numel() * p.element_size() for p in module.parameters())
    free = room.of_machine()
    if COPIES * one > max(free, room.of_gpu(config["trainer"]["accelerator"])):
        raise ConfigError(
            f"model={config['model']['_target_']}: its parameters take {room.size(one)}, a "
            f"training {COPIES} times as much, and {room.size(free)} are free. Lower the model's "
            "sizes, or shots.ways"
        )


def check_graph(
    each: float, examples: int, steps: int, tasks: int, config: Mapping[str, Any]
) -> None:
    """Refuse inner loops whose graphs, of `each` bytes an example, fit nowhere.

    Raises:
        ConfigError: naming the bytes and the keys that they grow with.
    """
    needed, free = each * examples * steps * tasks, room.of_machine()
    if needed <= max(free, room.of_gpu(config["trainer"]["accelerator"])):
        return
    shots, inner = config["shots"], config["algorithm"]["inner"]
    batch = f"algorithm.inner.batch_size={inner['batch_size']}"
    keys = [batch if inner["batch_size"] else f"shots.train_shots={shots['train_shots']}"]
    keys += [f"algorithm.inner.steps={inner['steps']}"] if steps > 1 else []
    keys += [f"meta_batch={tasks}"] if tasks > 1 else []
    ways_out = " or ".join(key.partition("=")[0] for key in keys)
    more = ", or use algorithm.checkpoint_steps" if steps > 1 else ""
    raise ConfigError(
        f"{', '.join(keys)}: the derivative needs about {room.size(needed)} of memory "
        f"({room.size(each)} an example), and {room.size(free)} are free. Lower {ways_out}{more}"
    )


class _Bounded(TorchFunctionMode):
    """Refuses to make a tensor that the machine has no memory for, before it is made."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in MAKERS:
            sizes = kwargs.get("size", args)
            if sizes and isinstance(sizes[0], Sequence):
                sizes = sizes[0]
            dtype = kwargs.get("dtype") or torch.get_default_dtype()
            shape = [n for n in sizes if type(n) is int]
            copies = COPIES if func is torch.empty else 1  # of which layers make their parameters
            _check_room(shape, math.prod(shape) * dtype.itemsize, copies)
        return func(*args, **kwargs)


def _check_room(shape: Sequence[int], needed: int, copies: int) -> None:
    if needed > LARGE and copies * needed > (free := room.of_machine()):
        times = f", {copies} times" if copies > 1 else ""
        raise MemoryError(
            f"a tensor of {'x'.join(map(str, shape))} would take {room.size(needed)}{times}, and "
            f"{room.size(free)} are free. Lower the model's sizes, or shots.ways"
        )


class Graph:
    """Counts the bytes that the graph of what runs inside keeps for its derivative."""

    def __init__(self) -> None:
        self.bytes = 0
        self._seen: set[int] = set()
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept)

    def __enter__(self) -> Graph:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    def _keep(self, tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in self._seen:
            self._seen.add(memory.data_ptr())
            self.bytes += memory.nbytes()
        return tensor
