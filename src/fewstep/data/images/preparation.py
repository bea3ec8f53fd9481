"""From a picture to what a network was trained on: the same for a file, an array and a drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fewstep.data.images.decode import MODES, RESAMPLES


HALF = 128
"""From here on a pixel is paper, where a picture is cut into ink and paper."""


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes the input of a network."""

    size: int
    """Side of the square that it is squeezed to, in pixels."""
    channels: int
    """3 for colour, 1 for grey."""
    resample: str = "bilinear"
    """nearest, bilinear, bicubic or lanczos."""
    cut: bool = False
    """Whether pixels are cut at half into 0 (ink) and 1 (paper)."""
    native: int | None = None
    """The side of the pictures that the network was trained on, before they were squeezed; a
    larger one is made as small first. None: it does not matter."""
    paper: str | None = None
    """`light` or `dark`: what drawings are on. One whose edge is of the other kind is turned over.
    None: pictures are as they are."""
    mean: tuple[float, ...] = ()
    """Of the channels, between 0 and 1, that are taken off; none by default."""
    std: tuple[float, ...] = ()
    """What the channels are divided by after that."""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def pixels(self, image: Image.Image) -> np.ndarray:
        """A picture as [size, size, channels] uint8."""
        image = image.convert(MODES[self.channels])
        if self.native and max(image.size) > self.native:
            small = (self.native, self.native)
            image = image.resize(small, Image.Resampling.BOX)
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), RESAMPLES[self.resample])
        return np.asarray(image, dtype=np.uint8).reshape(self.size, self.size, self.channels)

    def scaled(self, pixels: Tensor) -> Tensor:
        """Pixels [n, size, size, channels] uint8 as inputs [n, channels, size, size] float32."""
        seen = self.seen(pixels)
        x = (seen >= HALF).float() if self.cut else seen.float() * (1 / 255)
        if self.mean:
            mean, std = (torch.tensor(v, dtype=x.dtype) for v in (self.mean, self.std))
            x = (x - mean) / std
        return x.permute(0, 3, 1, 2)

    def seen(self, pixels: Tensor) -> Tensor:
        """Pixels [n, size, size, channels] uint8 with paper of the kind that the network knows."""
        if self.paper is None:
            return pixels
        sides = pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]
        light = torch.cat(sides, 1).float().mean((1, 2)) >= HALF
        turned = light != (self.paper == "light")
        return torch.where(turned[:, None, None, None], 255 - pixels, pixels)

    def as_dict(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Preparation:
        """What was written down.

        Raises:
            ValueError: it is not that of a picture.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(written, Mapping) or set(written) != known:
            raise ValueError(f"the preparation must have {', '.join(sorted(known))}")
        sides = [written["size"], *([] if written["native"] is None else [written["native"]])]
        if not all(type(n) is int and 0 < n <= 4096 for n in sides):  # True is an int as well
            raise ValueError(f"the preparation's size={written['size']} must be from 1 to 4096")
        if written["channels"] not in tuple(MODES) or written["resample"] not in tuple(RESAMPLES):
            raise ValueError(
                f"the preparation's channels={written['channels']} must be 1 or 3, and its "
                f"resample={written['resample']} one of {', '.join(RESAMPLES)}"
            )
        if not isinstance(written["cut"], bool):
            raise ValueError(f"the preparation's cut={written['cut']} must be true or false")
        if written["paper"] not in (None, "light", "dark"):
            raise ValueError(
                f"the preparation's paper={written['paper']} must be light, dark or null"
            )
        for name in ("mean", "std"):
            if not _numbers(written[name], written["channels"], above=0 if name == "std" else None):
                raise ValueError(f"the preparation's {name} must have a number a channel, or none")
        return cls(**written)


def _numbers(values: Any, channels: int, above: float | None) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) in (0, channels)
        and all(
            isinstance(v, int | float) and math.isfinite(v) and (above is None or v > above)
            for v in values
        )
    )
