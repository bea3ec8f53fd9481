"""What a network does besides computing, found by trying a copy of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.checks import ConfigError
from fewstep.memory import MODULE
from fewstep.noise import drew, generators


@dataclass(frozen=True)
class Traits:
    """What a forward pass does besides computing; found by trying."""

    draws: bool = False
    """It asks for random numbers."""
    writes: bool = False
    """It changes buffers, or attributes of its layers."""

    @property
    def plain(self) -> bool:
        """Neither, so that threads, `vmap` and programs may run it."""
        return not (self.draws or self.writes)


PLAIN = Traits()


def traits_of(module: nn.Module, x: Tensor) -> Traits:
    """Try a module on some inputs, in training and in evaluation. It is changed by that as much as
    it changes itself.

    Raises:
        ConfigError: its forward pass writes into a parameter.
        Exception: whatever the module itself raises.
    """
    draws = writes = False
    for mode in (True, False):
        module.train(mode)
        random, before, kept = generators(), _attributes(module), _values(module.parameters())
        buffers = _values(module.buffers())
        module(x)
        draws |= drew(random)
        writes |= before != _attributes(module) or not _same(buffers, module.buffers())
        if not _same(kept, module.parameters()):
            raise ConfigError(
                f"model: {type(module).__name__} writes into its parameters in forward, which "
                "would change them for every task. Use a buffer, or set them before the training"
            )
    return Traits(draws, writes)


def _values(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _same(before: list[Tensor], now: Iterable[Tensor]) -> bool:
    return all(
        a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b.detach())
        for a, b in zip(before, now, strict=True)
    )


def _attributes(module: nn.Module) -> list[Any]:
    """What all layers keep besides parameters and buffers, and how often tensors among it were
    written into."""
    return [
        (name, _Same(_shallow(value)), value._version if isinstance(value, Tensor) else 0)
        for layer in module.modules()
        for name, value in vars(layer).items()
        if name not in MODULE
    ]


class _Same:
    """Equal where the values are one object, or equal and plain."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        mine, theirs = self.value, other.value
        if mine is theirs:
            return True
        if type(mine) is not type(theirs):
            return False
        if isinstance(mine, (list, tuple)):
            return [*map(_Same, mine)] == [*map(_Same, theirs)]
        if isinstance(mine, dict):
            return _Same([*mine.items()]) == _Same([*theirs.items()])
        return isinstance(mine, VALUES) and mine == theirs

    __hash__ = None


VALUES = (bool, int, float, complex, str, bytes, set)


def _shallow(value: Any) -> Any:
    """Of a list or dictionary another one that holds the same: it may be written into."""
    return value.copy() if type(value) in (list, dict, set) else value
