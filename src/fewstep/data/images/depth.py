"""Images of more than 8 bits a pixel, as 8 bits: what is white in them, and who says so.

A file of 8 bits is white at 255. Of the others some say what is white; 16 bits are white at 65535
and floating-point numbers at 1 where the file does not say, and whole numbers of 32 bits say
nothing by themselves. A guess by the pixels would make one image brighter than its neighbour, so
nothing is guessed: what does not fit is refused, and `dataset.white` says it for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from fewstep.disk.bad_files import BadFile


BITS, PHOTOMETRIC, FORMAT, MAX_SAMPLE, S_MAX_SAMPLE = 258, 262, 339, 281, 341
"""Tags of TIFF files."""
RANGES = frozenset(2**bits - 1 for bits in range(1, 33))
"""The largest values of 1 to 32 bits: what a file's tag has to be, to be the end of a scale. Many
programs write the brightest pixel there instead, which says nothing about white."""
DARK = 4095
"""Where 16 bits hold no more than this (12 bits), they are nearly black if 65535 is white."""
BYTES = frozenset({"JPEG", "MPO", "GIF", "WEBP", "BMP"})
"""Formats that Pillow reads with 8 bits a channel and never more."""
CONVERT = "convert it to 8 bits"


@dataclass(frozen=True)
class Depth:
    """What an image that is not loaded yet says about its values."""

    white: float | None
    """The value that is white, if the file says so; for whole numbers and floats."""
    scaled: bool
    """Pillow has put the values on the scale of 16 bits, as the file's header says."""
    white_is_zero: bool
    unsigned: bool
    """Its 32 bits have no sign, which Pillow does not know."""
    signed_bytes: bool
    wide_colour: bool
    """Colour of 16 bits a channel, of which Pillow keeps the upper 8."""

    @classmethod
    def of(cls, image: Image.Image) -> Depth:
        """Of an image as `Image.open` gives it."""
        if image.format in BYTES:
            return PLAIN
        tags = getattr(image, "tag_v2", {})
        values = image.mode.startswith(("I", "F"))
        scaled = values and image.format in ("PPM", "JPEG2000") and image.mode != "F"
        stated = [_first(tags.get(tag)) for tag in (S_MAX_SAMPLE, MAX_SAMPLE)]
        said = [float(value) for value in stated if value in RANGES]
        sample = _first(tags.get(FORMAT))
        wide = (
            not values
            and image.mode != "CMYK"
            and ";16" in str([t.args for t in getattr(image, "tile", ())])
        )
        return cls(
            white=65535.0 if scaled else next(iter(said), None),
            scaled=scaled,
            white_is_zero=tags.get(PHOTOMETRIC) == 0,
            unsigned=sample == 1 and _first(tags.get(BITS)) == 32,
            signed_bytes=sample == 2 and not values,
            wide_colour=wide,
        )


PLAIN = Depth(None, False, False, False, False, False)


def eight_bits(image: Image.Image, depth: Depth, white: float | None) -> Image.Image:
    """The image with 8 bits a channel.

    Args:
        image: loaded, in any mode.
        depth: what its file says.
        white: what the user says: it counts before the file, and what is brighter is white.

    Raises:
        BadFile: without a name: values that no rule puts on a scale.
    """
    if depth.signed_bytes:
        raise BadFile("", "holds signed numbers of 8 bits", CONVERT)
    if image.mode.startswith(("I", "F")):
        return _scaled(image, depth, white)
    if depth.wide_colour:
        _check_colour(image, depth, white)
    return image


def _scaled(image: Image.Image, depth: Depth, white: float | None) -> Image.Image:
    pixels = np.asarray(image)
    if depth.unsigned and pixels.dtype == np.int32:
        pixels = pixels.view(np.uint32)
    if not np.isfinite(pixels).all():
        raise BadFile("", "holds pixels that are not numbers (NaN or infinite)", CONVERT)
    by_user = None if depth.scaled else white
    scale = depth.white or _usual_white(pixels) if by_user is None else by_user
    grey = pixels * (255 / scale) if pixels.dtype.kind == "f" else pixels * 255.0 // scale
    if by_user is None and (grey.min() < -1 or grey.max() > 256):
        raise _unclear(pixels, f"is white at {scale:g}")
    grey = np.rint(grey).clip(0, 255).astype(np.uint8)
    if depth.white_is_zero:
        grey = 255 - grey
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[pixels == clear] = 255
    return Image.fromarray(grey)


def _usual_white(pixels: np.ndarray) -> float:
    """What is white where nobody says it."""
    if pixels.dtype.kind == "f":
        return 1.0
    if pixels.dtype.itemsize > 2:
        raise _unclear(pixels, "does not say what is white")
    if 0 < pixels.max() <= DARK:
        raise _unclear(pixels, "would be nearly black if 65535 is white")
    return 65535.0


def _unclear(pixels: np.ndarray, but: str) -> BadFile:
    low, high = pixels.min(), pixels.max()
    kind = "floating-point" if pixels.dtype.kind == "f" else f"{8 * pixels.dtype.itemsize}-bit"
    likely = next((w for w in (1, 255, 1023, 4095, 16383, 65535) if high <= w), high)
    return BadFile(
        "",
        f"holds {kind} values from {low:g} to {high:g} and {but}",
        f"say what is white, as with dataset.white={likely:g}",
    )


def _check_colour(image: Image.Image, depth: Depth, white: float | None) -> None:
    ends = np.atleast_2d(image.getextrema())
    brightest = max(
        high for band, high in zip(image.getbands(), ends[:, 1], strict=True) if band != "A"
    )
    dark = white is None and brightest <= DARK >> 8
    if dark or (white or depth.white or 65535) != 65535:
        raise BadFile(
            "",
            "holds colour of 16 bits a channel and would be nearly black if 65535 is white",
            f"{CONVERT} a channel, or use dataset.white=65535 if it is that dark",
        )


def _first(value: Any) -> Any:
    """A tag's value, the first of several."""
    return value[0] if isinstance(value, tuple) and value else value
