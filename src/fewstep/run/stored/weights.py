"""The weights that a training starts from, in the place of random ones.

They are taken by name alone: nothing that is stored beside them is made or run. Each of them must
find its place; what the network has besides keeps its own beginning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from fewstep.core.types import Params
from fewstep.messages.errors import ConfigError, some
from fewstep.messages.printable import printable


KEY = "init"
SHOWN = 4
"""Tensors that a message names."""


@dataclass(frozen=True)
class Weights:
    """Where a training starts."""

    name: str
    """As it was given."""
    tensors: Params
    """Parameters and buffers by their names in the network."""
    trained_on: Sequence[str] = ()
    """The names of the classes that they have met in training, as far as they are known."""
    left_behind: Sequence[str] = ()
    """What an inner rule had learned beside them: a network has no place for it."""

    @property
    def sha256(self) -> str:
        return digest(dict(sorted(self.tensors.items())))

    def give(self, module: nn.Module, model: str) -> None:
        """Copy them into a network, the one that messages call `model`.

        Raises:
            ConfigError: naming what finds no place.
        """
        own = module.state_dict()
        amiss = [text for n, t in self.tensors.items() if (text := _amiss(n, t, own))]
        if amiss:
            more = f" and {len(amiss) - SHOWN} more" if len(amiss) > SHOWN else ""
            raise ConfigError(
                f"{KEY}={self.name}: {len(amiss)} of its {len(self.tensors)} tensors do not fit "
                f"model._target_={model}: {', '.join(amiss[:SHOWN])}{more}. Use the model and the "
                "shots.ways they were trained with, or other weights"
            )
        module.load_state_dict(self.tensors, strict=False)

    def summary(self, module: nn.Module) -> str:
        """One line for the user: what starts from them, and what does not."""
        own = [name for name in module.state_dict() if name not in self.tensors]
        rest = f"; {len(own)} begin as the network has them ({some(own, SHOWN)})" if own else ""
        left = f"; not what its inner rule learned ({some([*self.left_behind], SHOWN)})"
        left = left if self.left_behind else ""
        return f"{KEY}={self.name}: {len(self.tensors)} tensors start from it{rest}{left}"


def digest(tensors: Any) -> str:
    """SHA-256 of a tree of tensors: names, shapes and bytes."""
    found = hashlib.sha256()
    for path, leaf in pytree.tree_flatten_with_path(tensors)[0]:
        if isinstance(leaf, Tensor):
            found.update(f"{pytree.keystr(path)} {tuple(leaf.shape)} {leaf.dtype}".encode())
            found.update(bytes_of(leaf))
    return found.hexdigest()


def bytes_of(tensor: Tensor) -> bytes:
    """Of its values, in whatever precision: NumPy has no bfloat16."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _amiss(name: str, tensor: Tensor, own: Mapping[str, Tensor]) -> str | None:
    """What is wrong with a tensor for a network; None if it fits."""
    if name not in own:
        return f"{printable(name)} has no place there"
    here, there = tuple(own[name].shape), tuple(tensor.shape)
    return None if here == there else f"{printable(name)} is {there} and {here} there"
