"""Where an initialization comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
