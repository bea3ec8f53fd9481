"""Which folder under a dataset's root holds the classes, however it was packed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from PIL import Image

from fewstep.data.images.pictures import Picture
from fewstep.data.layouts.given_splits import check_once, split_of
from fewstep.disk.archives import archive
from fewstep.disk.litter import is_hidden


DEEPEST = 8
"""Top folders inside one another that are gone through, so that a link to itself ends."""


def entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without what desktops leave behind."""
    return sorted(p for p in folder.iterdir() if not is_hidden(Path(p.name)))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted."""
    with os.scandir(folder) as inside:  # asks for no file's status, of which there may be many
        found = [Path(entry.path) for entry in inside if entry.is_dir()]
    return sorted(path for path in found if not is_hidden(Path(path.name)))


def is_image(name: str) -> bool:
    """Whether a file's name ends as images' names do."""
    return PurePosixPath(name).suffix.lower() in Image.registered_extensions()


def has_images(folder: Path) -> bool:
    """Whether images lie in a folder itself."""
    return any(is_image(entry.name) and entry.is_file() for entry in entries(folder))


def has_classes(folder: Path) -> bool:
    """Whether a folder holds folders, or archives of them, and no images of its own."""
    inside = entries(folder)
    return any(p.is_dir() or archive.is_archive(p) for p in inside) and not any(
        is_image(p.name) and p.is_file() for p in inside
    )


def near(root: Path, classes: frozenset[str] | set[str] = frozenset()) -> list[Path]:
    """The root and the folders up to two levels below it, those nearer first, but no classes."""
    found, level = [root], [root]
    for _ in range(2):
        inside = [p for folder in level for p in subfolders(folder) if p.name not in classes]
        level = [p for p in inside if os.access(p, os.R_OK | os.X_OK)]
        found += level
    return found


def top(root: Path, stop: Callable[[Path], bool]) -> Path:
    """The root, or the folder below it if all is inside one top folder (inside another, ...).

    Args:
        root: where to begin.
        stop: whether a folder is to be taken as it is.
    """
    for _ in range(DEEPEST):
        if stop(root):
            break
        inside = entries(root)
        folders = [p for p in inside if p.is_dir()]
        if len(folders) != 1 or any(map(archive.is_archive, inside)):
            break
        if not (has_classes(folders[0]) or stop(folders[0])):
            break
        root = folders[0]
    return root


def split_folders(folder: Path) -> dict[str, Path] | None:
    """The folders of the splits, if there is one to train with and another.

    None if the one to train with holds no classes but images. Raises ValueError if a split has two
    folders.
    """
    named = [inside for inside in subfolders(folder) if split_of(inside.name)]
    found = {split_of(inside.name) or "": inside for inside in named}
    if len(found) < 2 or "train" not in found or not has_classes(found["train"]):
        return None
    check_once([inside.name for inside in named], str(folder))
    return found


def parts_inside(picture: Picture) -> tuple[str, ...]:
    """The folders and the name of a picture inside its archive."""
    return PurePosixPath(str(picture.member).replace("\\", "/")).parts
