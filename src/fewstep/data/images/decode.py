"""One image file of any kind as a square of uint8."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fewstep.data.images.depth import Depth, eight_bits
from fewstep.disk.bad_files import MEGABYTE, MOST, BadFile
from fewstep.disk.magic import kind


RESAMPLES = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""How to resize. All but `nearest` look at every source pixel when they shrink (antialiased)."""

MODES = {1: "L", 3: "RGB"}
MEGAPIXEL = 10**6
PROGRAMS = ("EPS",)
"""Formats that Pillow hands to another program: a stranger's file would be run by it."""


@dataclass(frozen=True)
class Reading:
    """How image files are read, whatever becomes of them."""

    white: float | None = None
    """The value that is white where a file has more than 8 bits; None: what the file says."""
    max_megapixels: float = 128
    """The most pixels of an image, in millions."""
    max_file_mb: float = MOST // MEGABYTE
    """The most bytes of a file, unpacked, in MB of 2**20."""

    @property
    def max_bytes(self) -> int:
        """`max_file_mb` in bytes."""
        return int(self.max_file_mb * MEGABYTE)

    @property
    def max_pixels(self) -> int:
        """`max_megapixels` in pixels."""
        return int(self.max_megapixels * MEGAPIXEL)


USUAL = Reading()


def decode(
    data: bytes, where: str, size: int, channels: int, resample: str, reading: Reading = USUAL
) -> np.ndarray:
    """An image file's bytes as [size, size, channels] uint8, squeezed to a square.

    Raises BadFile, as `opened` does.
    """
    image = opened(data, where, reading).convert(MODES[channels])
    if image.size != (size, size):
        image = image.resize((size, size), RESAMPLES[resample])
    return np.atleast_3d(np.asarray(image))


def opened(data: bytes, where: str, reading: Reading = USUAL) -> Image.Image:
    """An image file's bytes as an image of 8 bits that turns into grey or colour.

    It is turned as its EXIF tag says, put on white where it is transparent, and put on the scale
    of 8 bits where it has more (see `depth`). Of several frames or pages the first one counts.
    Colours are taken as they are, without profiles.

    Raises BadFile, a ValueError that names `where`, if the bytes are not an image that can be
    read, or are too large a one.
    """
    try:
        image = Image.open(io.BytesIO(data))
        _check(image, where, reading.max_pixels)
        depth = Depth.of(image)
        ImageOps.exif_transpose(image, in_place=True)
        return _plain(eight_bits(image, depth, reading.white))
    except BadFile as bad:
        raise BadFile(where, bad.reason, bad.fix) from bad
    except Image.DecompressionBombError as error:  # of the header, or of a part of the file
        pixels = re.search(r"\((\d+) pixels\)", str(error))
        raise _too_large(where, int(pixels[1]) if pixels else 0, reading.max_pixels) from error
    except Exception as error:  # a decoder may raise anything at all on bytes that are damaged
        unknown = isinstance(error, UnidentifiedImageError)
        reason = _unknown(data) if unknown else str(error) or type(error).__name__
        raise BadFile(
            where, f"cannot be read as an image ({reason})", "replace or remove it"
        ) from error


def _unknown(data: bytes) -> str:
    """What bytes are that Pillow does not know, though it may know others that begin so."""
    found = kind(data[:512])
    why = ", damaged or of a sort that Pillow does not read" if found.endswith(" image") else ""
    return f"it is {found}{why}"


def usual(image: Image.Image) -> Image.Image:
    """Of somebody's image one of 8 bits that turns into grey or colour: upright, and on white where
    it is transparent. Raises BadFile where nobody says what is white."""
    depth = Depth.of(image)
    return _plain(eight_bits(ImageOps.exif_transpose(image), depth, None))


@contextmanager
def limited(reading: Reading) -> Iterator[None]:
    """Let Pillow's own limit, which is the process's, be the reading's: parts of files have it.
    What is above it is refused, and needs no warning before."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = reading.max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _check(image: Image.Image, where: str, most: int) -> None:
    """Refuse an image by its header, before there is a pixel."""
    if image.format in PROGRAMS:
        raise BadFile(where, f"is {image.format}, which takes a program", "convert it to PNG")
    if image.width * image.height > most:
        raise _too_large(where, image.width * image.height, most)


def _too_large(where: str, pixels: int, most: int) -> BadFile:
    return BadFile(
        where,
        f"has {pixels / MEGAPIXEL:g} megapixels, more than dataset.max_megapixels="
        f"{most / MEGAPIXEL:g}",
        f"make it smaller, or allow dataset.max_megapixels={-(-pixels // MEGAPIXEL)}",
    )


def _plain(image: Image.Image) -> Image.Image:
    """The image without transparency, in a mode that turns into grey and colour."""
    if image.mode == "La":  # premultiplied, which Pillow turns into nothing else
        image = image.convert("LA")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, opaque)
    return image.convert("RGB") if image.mode == "LAB" else image
