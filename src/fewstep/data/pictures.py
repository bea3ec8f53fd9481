"""Image files sorted into classes, in folders or zip files, and their pixels in the cache."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.data import archive
from fewstep.data.cache import Content, cached, fingerprint
from fewstep.data.decode import decode
from fewstep.data.digest import data_sha256
from fewstep.data.parallel import in_order


CHUNK = 64
"""Images a worker decodes at a time."""


@dataclass(frozen=True)
class Picture:
    """Where one image is: a file, or a member of a zip file."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.member} in {self.path}" if self.member else str(self.path)


Classes = dict[str, list[Picture]]
"""Image files by class name, both sorted."""


def find_classes(root: Path) -> Classes:
    """The classes under `root`, which is one of

    - a folder with one folder a class (images may lie deeper inside it),
    - a zip file with one folder a class, maybe inside one top folder,
    - a folder with nothing but zip files, one a class; or with a single one as above.

    Hidden files and what desktops leave behind are skipped.

    Raises FileNotFoundError if there is no such thing, ValueError if there is no class in it, or
    if a class is empty.
    """
    if not root.exists():
        raise FileNotFoundError(f"dataset.root='{root}' does not exist; point it to the images")
    if root.is_file():
        classes = _in_zip(root)
    else:
        entries = sorted(p for p in root.iterdir() if not archive.is_hidden(Path(p.name)))
        folders = [entry for entry in entries if entry.is_dir()]
        zips = [entry for entry in entries if entry.suffix.lower() == ".zip"]
        if folders or not zips:
            classes = {folder.name: _in_folder(folder) for folder in folders}
        elif len(zips) == 1:
            classes = _in_zip(zips[0])
        else:
            classes = {path.stem: _members(path) for path in zips}
    if not classes:
        raise ValueError(f"dataset.root='{root}': no class in it; make one folder a class")
    return dict(sorted(classes.items()))


def load(
    name: str, classes: Classes, size: int, channels: int, resample: str
) -> tuple[Tensor, np.ndarray, str]:
    """All images of the classes [n, channels, size, size] uint8, memory-mapped, their counts and
    the digest of all.

    The channels lie last in memory, which is how episodes want them.
    Everything is decoded the first time, in threads and with a progress bar; from then on it comes
    from the cache, until a setting or a source file changes.

    Raises ValueError for an empty class, or for the first file that is not an image, by name.
    """
    for label, found in classes.items():
        if not found:
            raise ValueError(f"class '{label}' has no images; add some, or remove its folder")
    pictures = [picture for found in classes.values() for picture in found]
    counts = np.array([len(found) for found in classes.values()])

    def build() -> Content:
        shape = len(pictures), size, size, channels
        pieces = _decoded(pictures, size, channels, resample, f"reading {name}")
        return Content(shape, pieces, counts=counts.tolist(), source=_source(pictures))

    settings = {"layout": 2, "size": size, "channels": channels, "resample": resample}
    settings |= {"classes": list(classes), "files": _fingerprints(pictures)}
    pixels, about = cached(name, settings, build)
    digest = data_sha256(classes, counts, about["sha256"])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), counts, digest


def _source(pictures: Sequence[Picture]) -> str:
    """Where the pictures are, for people."""
    paths = {p.path if p.member else p.path.parent.parent for p in pictures}
    return os.path.commonpath([path.absolute() for path in paths])


def _in_folder(folder: Path) -> list[Picture]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Picture(p) for p in files if not archive.is_hidden(p.relative_to(folder))]


def _in_zip(path: Path) -> Classes:
    """The classes of a zip file: its folders, below the top one if there is a single top one."""
    members = [p for picture in _members(path) if len((p := Path(picture.member)).parts) > 1]
    tops = {member.parts[0] for member in members}
    level = 1 if len(tops) == 1 and any(len(member.parts) > 2 for member in members) else 0
    classes: Classes = {}
    for member in members:
        if len(member.parts) > level + 1:
            classes.setdefault(member.parts[level], []).append(Picture(path, member.as_posix()))
    return classes


def _members(path: Path) -> list[Picture]:
    with archive.opened(path) as zipped:
        return [Picture(path, str(member)) for member in archive.members(zipped)]


def _fingerprints(pictures: Sequence[Picture]) -> list[Any]:
    """What tells one state of the source files from another; a zip file counts once."""
    zips = sorted({picture.path for picture in pictures if picture.member})
    files = [picture.path for picture in pictures if not picture.member]
    members = [picture.member for picture in pictures if picture.member]
    return [[fingerprint(path) for path in [*zips, *files]], members]


def _decoded(
    pictures: Sequence[Picture], size: int, channels: int, resample: str, title: str
) -> Iterator[np.ndarray]:
    """The pictures' pixels in order, some at a time: [up to CHUNK, size, size, channels]."""
    with ExitStack() as stack:
        archives = {
            path: stack.enter_context(archive.opened(path))
            for path in sorted({picture.path for picture in pictures if picture.member})
        }

        def work(some: Sequence[Picture]) -> np.ndarray:
            return np.stack(
                [decode(_bytes(p, archives), str(p), size, channels, resample) for p in some]
            )

        chunks = [pictures[i : i + CHUNK] for i in range(0, len(pictures), CHUNK)]
        yield from in_order(work, chunks, title)


def _bytes(picture: Picture, archives: dict[Path, zipfile.ZipFile]) -> bytes:
    if picture.member is None:
        return picture.path.read_bytes()
    return archives[picture.path].read(picture.member)
