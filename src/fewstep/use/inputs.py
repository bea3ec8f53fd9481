"""What users hold pictures in, as what a network was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fewstep.data.images.decode import opened, usual
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.disk.bad_files import BadFile
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.use.rows import array_of, check_ordered, vectors_of


KINDS = "arrays [n, H, W(, C)] of uint8 or of numbers from 0 to 1, PIL images, paths or tensors"

CHANNELS = (1, 3, 4)
"""Of a picture as an array, which come last: grey, colour, colour with transparency."""


def kept_of(
    given: Any, preparation: Preparation | None, rows: RowPreparation | None = None
) -> Tensor:
    """What is kept of pictures or rows: pixels [n, S, S, C] uint8; without a preparation [n, *].

    Raises:
        ValueError: what is no picture, by its place; or rows of another shape, or with values that
            the training cannot have had.
    """
    if preparation is not None:
        return pixels_of(given, preparation)
    return vectors_of(given, rows)


def pixels_of(images: Any, preparation: Preparation) -> Tensor:
    """Pictures in any form as [n, size, size, channels] uint8.

    Args:
        images: an array or tensor [n, H, W(, C)], or a sequence of arrays [H, W(, C)], PIL images
            and paths, mixed if you like. Arrays are uint8 (0 to 255), bool (True is
            white), or numbers between 0 and 1.
        preparation: how they are squeezed, turned grey and so on.

    Raises:
        ValueError: no pictures, or what is no picture: its place, and what it is.
    """
    check_ordered(images, "images")
    images = _listed(images)
    if isinstance(images, str | Path | Image.Image):
        raise ConfigError(
            f"images: one {type(images).__name__}, where a list of pictures is needed. Give [image]"
        )
    if isinstance(images, np.ndarray | Tensor) and images.ndim < 3:
        raise ConfigError(
            f"images: an array of shape {tuple(images.shape)}, where [n, H, W] or [n, H, W, C] is "
            "needed. A single picture is images[None]"
        )
    if not isinstance(images, Iterable):
        raise ConfigError(f"images: a {type(images).__name__}. Give {KINDS}")
    if isinstance(images, np.ndarray | Tensor) and images.ndim == 3 and images.shape[2] in CHANNELS:
        raise ConfigError(
            f"images: an array of shape {tuple(images.shape)}, a single picture [H, W, C]. "
            "Give images[None]"
        )
    made, highest = [], []
    for place, one in enumerate(images):
        made.append(preparation.pixels(_image(one, place)))
        highest += _highest(one)
    if not made:
        raise ConfigError(f"images: there are none. Give {KINDS}")
    if highest and max(highest) == 1:
        raise ConfigError(
            "images: all hold 0 and 1 alone as uint8, where white is 255, so that all are black. "
            "Give bool, or 0 to 255"
        )
    return torch.from_numpy(np.stack(made))


def _highest(one: Any) -> list[int]:
    """The highest of its pixels, where these are bytes: 1 is just not black, and of a mask."""
    known = isinstance(one, np.ndarray | Tensor) and one.dtype in (np.uint8, torch.uint8)
    return [int(one.max())] if known else []


def _listed(images: Any) -> Any:
    """A list of what a table's column holds, or an array of objects or paths; else as it is."""
    if hasattr(images, "to_numpy"):
        images = images.to_numpy()
    several = isinstance(images, np.ndarray) and images.dtype.kind in "OU" and images.ndim
    if several and images.ndim < 3 and images.size == len(images):
        return list(images.ravel())
    return images


def _image(one: Any, place: int) -> Image.Image:
    if isinstance(one, str | Path):
        path = expanded(one, f"images[{place}]")
        try:
            return opened(path.read_bytes(), str(path))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None
    where = f"images[{place}]"
    if isinstance(one, Image.Image):
        return _of_pillow(one, where)
    if not isinstance(one, np.ndarray | Tensor | Sequence) or isinstance(one, bytes):
        raise ConfigError(f"{where}: a {type(one).__name__} is no picture. Give {KINDS}")
    return _of_array(array_of(one, where), where)


def _of_pillow(image: Image.Image, where: str) -> Image.Image:
    if not all(image.size):
        raise ConfigError(f"{where}: size {image.size} has no pixels")
    try:
        return usual(image)
    except BadFile as bad:
        raise ConfigError(f"{where}: {bad.reason}. Give an array of numbers from 0 to 1") from None
    except (OSError, SyntaxError) as error:  # of its file, which Pillow reads as late as this
        raise ConfigError(f"{where}: cannot be read ({error}). Replace or leave it out") from None


def _of_array(array: np.ndarray, where: str) -> Image.Image:
    if array.ndim == 3 and array.shape[-1] not in CHANNELS and array.shape[0] in (1, 3):
        raise ConfigError(
            f"{where}: shape {array.shape} has its channels first. Give [H, W, C], as "
            "array.transpose(1, 2, 0), of a tensor permute(1, 2, 0)"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in CHANNELS):
        raise ConfigError(f"{where}: shape {array.shape} is no picture. Give [H, W] or [H, W, C]")
    if not array.size:
        raise ConfigError(f"{where}: shape {array.shape} has no pixels")
    array = _eight_bits(array, where)
    return usual(Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _eight_bits(array: np.ndarray, where: str) -> np.ndarray:
    """An array's values on the scale from 0 to 255."""
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind not in "uif":
        raise ConfigError(f"{where}: {array.dtype} is no kind of pixel. Give {KINDS}")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise ConfigError(f"{where}: has pixels that are not finite. Mend or leave out this one")
    if array.dtype.kind == "f":
        if low < 0 or high > 1:
            raise ConfigError(
                f"{where}: has numbers from {low:g} to {high:g}, where pixels that are not uint8 "
                "are from 0 to 1. Divide by what is white"
            )
        return np.rint(array * 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise ConfigError(f"{where}: has values from {low:g} to {high:g}. Give uint8, 0 to 255")
    if high == 1 and array.dtype != np.uint8:
        raise ConfigError(f"{where}: has whole numbers 0 and 1 alone. Give bool, or 0 to 255")
    return array.astype(np.uint8)
