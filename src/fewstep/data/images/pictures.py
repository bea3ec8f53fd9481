"""Image files sorted into classes, in folders or archives, and their pixels in the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from warnings import warn

import numpy as np
import torch
from torch import Tensor

from fewstep.data.digest import composed, data_sha256
from fewstep.data.images.decode import USUAL, Reading, decode, limited
from fewstep.data.images.decoding import Picture, decoded
from fewstep.disk.archives import archive
from fewstep.disk.archives.member_names import class_folders
from fewstep.disk.cache.cache import Content, cached, fingerprint
from fewstep.disk.cache.entries import sums
from fewstep.disk.folders import below, folders_in
from fewstep.disk.litter import is_litter


BYTES = (".jpg", ".jpeg", ".gif", ".webp", ".bmp")
"""Files that hold 8 bits a channel and never more."""


Classes = dict[str, list[Picture]]
"""Image files by class name, both sorted."""


def find_classes(root: Path) -> Classes:
    """The classes under `root`, which is one of

    - a folder with one folder a class (images may lie deeper inside it),
    - an archive (a zip file or a tar) with one folder a class, maybe inside other folders,
    - a folder with nothing but archives, one a class; or with a single one as above.

    Links to folders and files count as what they lead to, each file once a class; litter of
    desktops and network drives is skipped (see `folders` and `litter`).

    Raises FileNotFoundError if there is no such thing, ValueError if there is no class in it, if
    an archive cannot be read, or if a link leads nowhere.
    """
    if not root.exists():
        raise FileNotFoundError(f"dataset.root='{root}' does not exist; point it to the images")
    if root.is_file():
        classes = _in_archive(root)
    elif not root.is_dir():
        raise ValueError(
            f"dataset.root='{root}' is neither a folder nor a plain file; point it to the images"
        )
    else:
        folders = folders_in(root)
        archives = [p for p in sorted(root.iterdir()) if archive.is_archive(p)]
        archives = [path for path in archives if not is_litter(path.name)]
        if folders or not archives:
            classes = {folder.name: _in_folder(folder) for folder in folders}
        elif len(archives) == 1:
            classes = _in_archive(archives[0])
        else:
            classes = {archive.stem(path): _pictures(path) for path in archives}
    if not classes:
        raise ValueError(f"dataset.root='{root}': no class in it; make one folder a class")
    return _by_name(classes)


def load(
    name: str,
    classes: Classes,
    size: int,
    channels: int,
    resample: str,
    reading: Reading = USUAL,
) -> tuple[Tensor, np.ndarray, str]:
    """All images of the classes [n, channels, size, size] uint8, memory-mapped, their counts and
    the digest of all.

    The channels lie last in memory, which is how episodes want them.
    Everything is decoded the first time, in threads and with a progress bar; from then on it comes
    from the cache, until a setting or a source file changes.

    Raises ValueError for an empty class, and BadFiles, a ValueError too, that names the files
    which cannot be used: the first twenty, and how many there are.
    """
    for label, found in classes.items():
        if not found:
            raise ValueError(f"class '{label}' has no images; add some, or remove its folder")
    pictures = [picture for found in classes.values() for picture in found]
    counts = np.array([len(found) for found in classes.values()])
    one = partial(decode, size=size, channels=channels, resample=resample, reading=reading)

    def build() -> Content:
        shape = len(pictures), size, size, channels
        pieces = decoded(pictures, one, reading.max_bytes, f"reading {name}")
        return Content(shape, pieces, counts=counts.tolist(), source=_source(pictures))

    settings = {"layout": 2, "size": size, "channels": channels, "resample": resample}
    settings |= {} if reading.white is None else {"white": reading.white}
    if any(not str(picture.member or picture.path).lower().endswith(BYTES) for picture in pictures):
        settings["depth"] = 2  # before, their values could be put on a wrong scale
    settings |= {"classes": list(classes), "files": _fingerprints(pictures)}
    with limited(reading):
        pixels, about = cached(name, settings, build)
    if about["counts"] != counts.tolist():  # a picture has gone over to the next class
        about["sha256"] = sums(pixels, counts.tolist())
    digest = data_sha256(classes, counts, about["sha256"])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), counts, digest


def _source(pictures: Sequence[Picture]) -> str:
    """Where the pictures are, for people."""
    paths = {p.path if p.member else p.path.parent.parent for p in pictures}
    return os.path.commonpath([path.absolute() for path in paths])


def _in_folder(folder: Path) -> list[Picture]:
    return [Picture(path) for path in below(folder)]


def _in_archive(path: Path) -> Classes:
    by_folder = class_folders([PurePosixPath(p.member or "") for p in _pictures(path)])
    return {
        name: [Picture(path, str(member)) for member in members]
        for name, members in by_folder.items()
    }


def _pictures(path: Path) -> list[Picture]:
    with archive.opened(path) as opened:
        if opened.left_out:
            warn(
                f"{path}: {len(opened.left_out)} members are left out, as links or as names that "
                f"point outside of the archive ({', '.join(map(ascii, opened.left_out[:3]))}, ...)",
                stacklevel=2,
            )
        return [Picture(path, str(member)) for member in opened.paths()]


def _by_name(classes: Classes) -> Classes:
    """The classes sorted, under names of which each letter is written in one way (NFC).

    A Mac writes an accent as a letter of its own; what came by a Mac and what did not is one class.
    """
    found: Classes = {}
    for name, pictures in classes.items():
        found.setdefault(composed(name), []).extend(pictures)
    return dict(sorted(found.items()))


def _fingerprints(pictures: Sequence[Picture]) -> list[Any]:
    """What tells one state of the source files from another; an archive counts once."""
    archives = sorted({picture.path for picture in pictures if picture.member})
    files = [picture.path for picture in pictures if not picture.member]
    members = [picture.member for picture in pictures if picture.member]
    return [[fingerprint(path) for path in [*archives, *files]], members]
