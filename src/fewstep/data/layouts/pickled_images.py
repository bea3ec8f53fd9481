"""Mini-ImageNet and CIFAR-FS as pickles of arrays, one a split, as many repositories keep them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.core.types import SPLITS
from fewstep.data.digest import data_sha256
from fewstep.data.layouts.given_splits import split_of
from fewstep.disk.cache.cache import Content, cached, fingerprint
from fewstep.disk.pickles import pickled


SUFFIXES = (".pkl", ".pickle")

Files = dict[str, Path]
"""The file of each split."""


def folder_of(root: Path) -> Path:
    """The folder of the pickles if a root is one of them; else the root."""
    return root.parent if root.is_file() and root.suffix.lower() in SUFFIXES else root


def find(places: Sequence[Path], stems: Sequence[str]) -> Files | None:
    """The three pickles of the first folder that has one; None if none has.

    Args:
        places: where to look.
        stems: what their names begin with, in small letters alone: `cifarfs` finds
            `CIFAR_FS_train.pickle`.

    Raises FileNotFoundError, naming what is there, if a split is missing.
    """
    for place in places:
        pickles = sorted(p for p in place.iterdir() if p.suffix.lower() in SUFFIXES)
        found = {split: p for p in pickles if (split := _split(p.stem, stems)) is not None}
        if not found:
            continue
        if missing := [split for split in SPLITS if split not in found]:
            raise FileNotFoundError(
                f"{place} has {', '.join(p.name for p in found.values())}, but no such file for "
                f"{' and '.join(missing)}; put it there"
            )
        return {split: found[split] for split in SPLITS}
    return None


def _split(stem: str, stems: Sequence[str]) -> str | None:
    name = re.sub(r"[^a-z0-9]", "", stem.lower())
    for start in stems:
        if name.startswith(start):
            # MetaOptNet's train classes lie in three files; this one has the train images.
            return split_of(name.removeprefix(start).replace("trainphasetrain", "train"))
    return None


def load(
    name: str, files: Files, size: int, numbered: Mapping[str, Sequence[str]]
) -> tuple[Tensor, list[str], np.ndarray, str]:
    """All images [n, 3, size, size] with the channels last in memory, class names, counts, digest.

    Classes are sorted by name; the images of each keep their order. They come from the cache, and
    are copied there a class at a time.

    Args:
        name: the dataset's, for the cache.
        files: the pickle of each split: a dictionary of `image_data` and `class_dict` (name to
            rows), or of `data` and `labels` (with `catname2label`, or names themselves, or
            numbers into `numbered`).
        size: side of an image.
        numbered: by split, class names by number; `""` where a number is none of the split's.

    Raises ValueError, naming the file, for anything else in it.
    """
    settings = {"layout": "pickles 1", "size": size}
    settings |= {"files": [fingerprint(file) for file in files.values()]}
    pixels, about = cached(name, settings, lambda: _content(files, size, numbered))
    names, counts = about["names"], about["counts"]
    digest = data_sha256(names, counts, about["sha256"])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), names, np.array(counts), digest


def _content(files: Files, size: int, numbered: Mapping[str, Sequence[str]]) -> Content:
    classes: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for split, file in files.items():
        content = pickled.read_file(file)
        try:
            images = _images(content, size)
            rows = _rows(content, len(images), numbered.get(split, ()))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise ValueError(
                f"{file} does not hold image_data and class_dict, or data and labels, as copies "
                f"of this dataset do ({error})"
            ) from None
        for label, which in rows.items():
            if label in classes:
                raise ValueError(f"class '{label}' is in {file} and in another of these files")
            classes[label] = images, which
    names = sorted(classes)
    counts = [len(classes[label][1]) for label in names]
    pieces = (images[which] for images, which in (classes[label] for label in names))
    about = {"names": names, "counts": counts}
    where = ", ".join(str(file.absolute()) for file in files.values())
    return Content((sum(counts), size, size, 3), pieces, about, counts, where)


def _images(content: dict[str, Any], size: int) -> np.ndarray:
    """The pixels [n, size, size, 3], whichever way round they are kept."""
    if not isinstance(content, dict):
        raise TypeError(f"it is a {type(content).__name__}")
    images = content["image_data"] if "image_data" in content else content["data"]
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise TypeError("its images are no array of uint8")
    if images.shape[1:] == (3, size, size):
        images = images.transpose(0, 2, 3, 1)
    if images.shape[1:] != (size, size, 3):
        raise ValueError(f"its images are {images.shape}, not [n, {size}, {size}, 3]")
    return images


def _rows(content: dict[str, Any], n: int, numbered: Sequence[str]) -> dict[str, np.ndarray]:
    """Which rows each class has."""
    if "class_dict" in content:
        rows = {str(k): np.asarray(v, dtype=np.int64) for k, v in content["class_dict"].items()}
    else:
        labels = np.asarray(content["labels"])
        if labels.shape != (n,):
            raise ValueError(f"it has labels of shape {labels.shape} for {n} images")
        names = _names(labels, content.get("catname2label"), numbered)
        rows = {label: np.flatnonzero(labels == key) for key, label in names.items()}
    for label, which in rows.items():
        if which.ndim != 1 or not len(which) or which.min() < 0 or which.max() >= n:
            raise ValueError(f"the rows of class {label[:40]!r} are not among its {n} images")
    return rows


def _names(labels: np.ndarray, names: Any, numbered: Sequence[str]) -> dict[Any, str]:
    """The class name of each label."""
    found: list[Any] = np.unique(labels).tolist()
    if names is not None:
        by_label = {label: str(name) for name, label in names.items()}
        return {label: by_label[label] for label in found}
    if labels.dtype.kind == "U":
        return {label: label for label in found}
    numbers: list[int] = found
    if any(not 0 <= n < len(numbered) or not numbered[n] for n in numbers):
        raise ValueError(
            f"its labels, {found[0]} to {found[-1]}, are not the published numbers of this split's "
            f"classes, and it has no names"
        )
    return {n: numbered[n] for n in numbers}
