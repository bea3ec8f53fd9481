"""What a network does besides computing, found by trying a copy of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from fewstep.core.chance import drew, generators
from fewstep.core.memory import MODULE, copied
from fewstep.core.noise import noise
from fewstep.core.types import NOTHING
from fewstep.messages.errors import ConfigError


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


def traits_of(
    module: nn.Module, inputs: Sequence[Tensor], given: Mapping[str, Tensor] = NOTHING
) -> Traits:
    """Try copies of a module on some inputs, each in training and in evaluation, twice, with what
    it takes of `given`.

    Raises:
        ConfigError: its forward pass writes into a parameter, remembers something outside of the
            module, or does not go by the parameters that it is lent.
        Exception: whatever the module itself raises.
    """
    taken = {name: given[name] for name in getattr(module, "takes", ())}
    draws = writes = False
    answers: list[list[Any]] = []
    for one in (copied(module), copied(module)):
        tried = [_tried(one.train(mode), x, taken) for mode in (True, False) for x in inputs]
        draws |= any(seen.draws for seen, _ in tried)
        writes |= any(seen.writes for seen, _ in tried)
        answers.append([outputs for _, outputs in tried])
    if not _equal(*answers):
        raise ConfigError(
            f"model: {type(module).__name__} remembers something outside of itself, in a global, a "
            "class or a closure, which no task can have to itself. Keep it in a buffer"
        )
    return Traits(draws, writes)


def _tried(module: nn.Module, x: Tensor, taken: Mapping[str, Tensor]) -> tuple[Traits, list[Any]]:
    """What two calls with the same random numbers show, and what they answered."""
    before, x = _attributes(module), x.clone()
    version = x._version
    kept = _values(module.parameters())
    buffers = _values(module.buffers())
    with noise(0, 0):
        at_start = generators()
        one = module(x, **taken)
        draws = drew(at_start)
    writes = before != _attributes(module) or not _same(buffers, module.buffers())
    if x._version != version:
        raise ConfigError(
            f"model: {type(module).__name__} writes into its input in forward, which would change "
            "the examples for every step. Use x = x - 1 in the place of x.sub_(1), or x.clone()"
        )
    with noise(0, 0):
        other = module(x, **taken)
    if not _same(kept, module.parameters()):
        raise ConfigError(
            f"model: {type(module).__name__} writes into its parameters in forward, which would "
            "change them for every task. Use a buffer, or set them before the training"
        )
    return Traits(draws, writes or not _equal(one, other)), [one, other]


def _equal(one: Any, other: Any) -> bool:
    """Whether two outputs are the same, not a number included."""
    pairs = zip(pytree.tree_leaves(one), pytree.tree_leaves(other), strict=True)
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs if _is_tensor(a))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _values(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _same(before: list[Tensor], now: Iterable[Tensor]) -> bool:
    return all(
        a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b.detach())
        for a, b in zip(before, now, strict=True)
    )


def stamp(module: nn.Module) -> list[Any]:
    """Another one after a call that wrote into buffers or attributes; cheap."""
    versions = [(id(b), 0 if b.is_inference() else b._version) for b in module.buffers()]
    return [*versions, *_attributes(module)]


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


VALUES = (bool, int, float, complex, str, bytes, set)


def _shallow(value: Any) -> Any:
    """Of a list or dictionary another one that holds the same: it may be written into."""
    return value.copy() if type(value) in (list, dict, set) else value
