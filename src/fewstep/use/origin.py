"""Where an initialization comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class Origin:
    """Where an initialization comes from."""

    name: str
    """As `fewstep.load` takes it, where it does."""
    sha256: str = ""
    """Of its tensors."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """A `_target_` and its arguments, from which the network is made again; without it a
    classifier cannot be saved."""


def digest(tensors: Any) -> str:
    """SHA-256 of a tree of tensors: names, shapes and bytes."""
    found = hashlib.sha256()
    for path, leaf in pytree.tree_flatten_with_path(tensors)[0]:
        if isinstance(leaf, Tensor):
            found.update(f"{pytree.keystr(path)} {tuple(leaf.shape)} {leaf.dtype}".encode())
            found.update(leaf.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
