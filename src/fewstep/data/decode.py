"""One image file of any kind as a square of uint8."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps


RESAMPLES = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""How to resize. All but `nearest` look at every source pixel when they shrink (antialiased)."""

MODES = {1: "L", 3: "RGB"}


def decode(data: bytes, where: str, size: int, channels: int, resample: str) -> np.ndarray:
    """An image file's bytes as [size, size, channels] uint8.

    It is turned as its EXIF tag says, put on white where it is transparent, cut to 8 bits where it
    has 16, and squeezed to a square whatever its shape was.

    Raises ValueError, naming `where`, if the bytes are not an image that can be read.
    """
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        image = _plain(image).convert(MODES[channels])
        if image.size != (size, size):
            image = image.resize((size, size), RESAMPLES[resample])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{where} cannot be read as an image ({error}); replace or remove it"
        ) from error
    return np.atleast_3d(np.asarray(image))


def _plain(image: Image.Image) -> Image.Image:
    """The image without transparency and with 8 bits a channel."""
    if image.mode.startswith("I"):  # 16-bit greys; `convert` would clip them at 255
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, opaque)
    return image
