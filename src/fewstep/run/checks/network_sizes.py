"""Networks that are too large for the machine, or that have no sizes yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from fewstep.config import room
from fewstep.messages.errors import ConfigError


if TYPE_CHECKING:
    from fewstep.run.experiment import Recipe


MAKERS = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
"""Functions that make a tensor of a shape."""
COPIES = 3
"""Of a parameter, that training has at the least: itself, a task's own, and its gradient."""
LARGE = 64 << 20
"""Bytes from which a new tensor is held against what the machine has left."""


def with_sizes(make: Callable[[], nn.Module], target: str) -> nn.Module:
    """The module that is made, which a configuration calls `target`.

    Raises:
        ConfigError: one that no memory could hold, or whose parameters wait for a first batch to
            learn their sizes.
    """
    with _Bounded():
        module = make()
    if not isinstance(module, nn.Module):
        return module  # which others refuse
    for name, layer in module.named_modules():
        if any(map(is_lazy, (*layer.parameters(recurse=False), *layer.buffers(recurse=False)))):
            eager = type(layer).__name__.replace("Lazy", "")
            raise ConfigError(
                f"model={target}: its layer {name or 'itself'} "
                f"({type(layer).__name__}) has no sizes before it has met data. Give them, with "
                f"nn.{eager}"
            )
    return module


def check_copies(module: nn.Module, model: str, accelerator: str) -> None:
    """Refuse a network of which a task cannot have a copy, a gradient and a direction.

    Raises:
        ConfigError: naming the bytes.
    """
    one = sum(p.numel() * p.element_size() for p in module.parameters())
    free = room.of_machine()
    if COPIES * one > max(free, room.of_gpu(accelerator)):
        raise ConfigError(
            f"model={model}: its parameters take {room.size(one)}, a "
            f"training {COPIES} times as much, and {room.size(free)} are free. Lower the model's "
            "sizes, or shots.ways"
        )


@dataclass(frozen=True)
class Graphs:
    """What a derivative through inner loops keeps, and the keys that it grows with."""

    each: float
    """Bytes an example."""
    examples: int
    """Of a minibatch."""
    steps: int
    """Inner steps whose graphs are held together."""
    tasks: int
    """Side by side."""
    recipe: Recipe

    @property
    def bytes(self) -> float:
        """Of all of them."""
        return self.each * self.examples * self.steps * self.tasks

    @property
    def keys(self) -> list[str]:
        """`key=value` of what it grows with."""
        spec = self.recipe.spec
        batch = f"algorithm.inner.batch_size={spec.batch_size}"
        found = [batch if spec.batch_size else f"shots.train_shots={spec.shots}"]
        found += [f"algorithm.inner.steps={self.recipe.inner_steps}"] if self.steps > 1 else []
        return found + ([f"meta_batch={self.tasks}"] if self.tasks > 1 else [])


def check_graphs(graphs: Graphs, accelerator: str) -> None:
    """Refuse inner loops whose graphs fit nowhere.

    Raises:
        ConfigError: naming the bytes and the keys that they grow with.
    """
    needed, free = graphs.bytes, room.of_machine()
    if needed <= max(free, room.of_gpu(accelerator)):
        return
    ways_out = " or ".join(key.partition("=")[0] for key in graphs.keys)
    more = ", or use algorithm.checkpoint_steps" if graphs.steps > 1 else ""
    raise ConfigError(
        f"{', '.join(graphs.keys)}: the derivative needs about {room.size(needed)} of memory "
        f"({room.size(graphs.each)} an example), and {room.size(free)} are free. Lower "
        f"{ways_out}{more}"
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
