"""From rows of numbers to what a network was trained on, as `TensorClasses` made its inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


KINDS = ("fractions", "bytes", "whole")
PIXEL = 1 / 255
"""What bytes are multiplied by, which are pixels as a rule."""


@dataclass(frozen=True)
class RowPreparation:
    """How examples [n, *shape] become inputs."""

    shape: tuple[int, ...]
    """Of one example."""
    kind: str = "fractions"
    """`bytes`: divided by 255 in training; `whole`: whole numbers, which a network embeds."""
    scale: float | None = None
    """What inputs are multiplied by, whatever they are; None: see `kind`."""

    def inputs(self, found: np.ndarray) -> Tensor:
        """[n, *] float32, or int64 of whole numbers.

        Raises:
            ValueError: numbers that the training cannot have had.
        """
        if self.scale is not None:
            return _float(found) * self.scale
        if self.kind == "whole":
            return _whole(found)
        return _of_bytes(found) if self.kind == "bytes" else _float(found)

    def as_dict(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> RowPreparation:
        """What was written down.

        Raises:
            ValueError: it is not that of rows.
        """
        if not isinstance(written, Mapping) or set(written) != {"shape", "kind", "scale"}:
            raise ValueError("rows must have kind, scale, shape")
        shape, scale = written["shape"], written["scale"]
        if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
            raise ValueError(f"rows' shape={shape} must be a list of whole numbers above 0")
        if written["kind"] not in KINDS:
            raise ValueError(f"rows' kind={written['kind']} must be one of {', '.join(KINDS)}")
        if scale is not None and not (type(scale) in (int, float) and math.isfinite(scale)):
            raise ValueError(f"rows' scale={scale} must be a number or null")
        return cls(tuple(shape), written["kind"], scale)


def _float(found: np.ndarray) -> Tensor:
    with np.errstate(over="ignore"):  # whoever asked looks for what is not finite
        return torch.from_numpy(found.astype(np.float32))


def _of_bytes(found: np.ndarray) -> Tensor:
    """Bytes, whole numbers that could be such, or what has been divided already."""
    if found.dtype == bool:
        return _float(found)
    most = 255 if found.dtype.kind in "iu" else 1
    low, high = found.min(), found.max()
    if low < 0 or high > most:
        raise ValueError(
            f"X holds {found.dtype} from {low:g} to {high:g}, and the training had bytes, from 0 "
            "to 255, which it divided by 255. Give uint8, or numbers from 0 to 1"
        )
    return _float(found) * PIXEL if most == 255 else _float(found)


def _whole(found: np.ndarray) -> Tensor:
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.int64)
    if (whole != found).any():
        raise ValueError(
            "X holds fractions, and the training had whole numbers, which its network embeds. Give "
            "integers"
        )
    return torch.from_numpy(whole)
