"""The classes of one's own images, and the split that they come with, in any usual layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from warnings import warn

from fewstep.data.images import pictures
from fewstep.data.images.pictures import Classes, Picture
from fewstep.data.layouts import labelled, places
from fewstep.data.layouts.given_splits import Found, check_once, split_of, together
from fewstep.disk.archives import archive
from fewstep.messages.errors import some


ARRAYS = (".npz", ".npy", ".pt", ".pth")
"""What files are called that hold NumPy's arrays or torch's tensors."""


def find(root: Path) -> Found:
    """The classes under `root`, which is one of

    - what `pictures.find_classes` reads: a folder a class, or archives,
    - folders train, val (or valid, validation, dev) and test with a folder a class in each; the
      names may be spelled as `given_splits` says,
    - images with a table of their labels, as `labelled` says,
    - any of these inside one top folder, or inside several, one in the other; the first two also
      inside one archive.

    Raises FileNotFoundError if there is no such thing, ValueError if there is no class in it, or
    arrays in the place of pictures.
    """
    if not root.is_dir():
        _check_no_arrays([root], root)
        return _in_archive(pictures.find_classes(root), root)
    place = places.top(root, lambda folder: bool(_splits(folder) or labelled.find(folder)))
    if splits := _splits(place):
        _tell_left_out(place)
        return together({s: pictures.find_classes(f) for s, f in splits.items()}, str(root))
    if found := labelled.find(place):
        return labelled.read(place, found)
    if len(places.subfolders(place)) < 2:
        labelled.explain(place)
    if not places.subfolders(place):
        _check_no_arrays(places.entries(place), root)
    found = pictures.find_classes(place)
    if places.subfolders(place):
        _tell_left_out(place)
    return _in_archive(found, place)


def _check_no_arrays(files: Sequence[Path], root: Path) -> None:
    """Refuse files of arrays, some of which are zip files inside."""
    for file in files:
        if file.suffix.lower() in ARRAYS and file.is_file():
            raise ValueError(
                f"dataset.root='{root}': {file.name} holds arrays, and pictures are read from files"
                " of pictures. From Python, fewstep.load(...).adapt(arrays, labels) learns from "
                "arrays, and a dataset of them is TensorClasses(arrays, labels)"
            )


def _tell_left_out(place: Path) -> None:
    """Say which files beside the folders of classes might have been meant, and are not read."""
    left = [
        path.name
        for path in places.entries(place)
        if path.is_file()
        and (_is_image(path) or archive.is_archive(path) or labelled.is_table(path))
    ]
    if left:
        files, them = ("files", "them") if len(left) > 1 else ("file", "it")
        warn(
            f"{place}: {len(left)} {files} beside the folders of its classes not read "
            f"({some(left, 3)}): each folder is a class. Move {them} into one, or away",
            stacklevel=3,
        )


def _splits(folder: Path) -> dict[str, Path] | None:
    """The folders of the splits, if what is there besides holds no images.

    Raises ValueError if it does, or if a split's folder holds images instead of classes.
    """
    splits = places.split_folders(folder)
    if splits is None:
        return None
    names = ", ".join(path.name for path in splits.values())
    for inside in places.subfolders(folder):
        if inside not in splits.values() and any(map(_is_image, inside.rglob("*"))):
            raise ValueError(
                f"dataset.root='{folder}': is split into {names}, and has images in {inside.name} "
                f"besides; move that folder away"
            )
        if inside in splits.values() and places.has_images(inside):
            raise ValueError(
                f"dataset.root='{folder}': {inside.name} has images outside the folders of its "
                f"classes; sort them into classes as in {splits['train'].name}, or move them away"
            )
    return splits


def _is_image(path: Path) -> bool:
    return places.is_image(path.name) and path.is_file()


def _in_archive(classes: Classes, root: Path) -> Found:
    """The classes of a single archive, below its top folders; or the given ones as they are."""
    found = [picture for some in classes.values() for picture in some]
    tops = {split_of(label) for label in classes}
    if len({p.path for p in found}) != 1 or not found[0].member:
        return Found(classes)
    if len(classes) > 1 and None in tops:
        return Found(classes)
    level = _top_level(found)
    if splits := _split_members(found, level, root):
        return together(splits, str(root))
    return Found(_by_folder(found, level))


def _top_level(found: Sequence[Picture]) -> int:
    """How many top folders hold everything, one inside the other."""
    level, paths = 0, [places.parts_inside(picture) for picture in found]
    while len({parts[level] for parts in paths}) == 1:
        above = [parts for parts in paths if len(parts) == level + 2 and level]
        if any(places.is_image(parts[-1]) for parts in above):
            break
        deeper = [parts for parts in paths if len(parts) > level + 2]
        if not deeper:
            break
        level, paths = level + 1, deeper
    return level


def _by_folder(found: Sequence[Picture], level: int) -> Classes:
    classes: Classes = {}
    for picture in found:
        parts = places.parts_inside(picture)
        if len(parts) > level + 1:
            classes.setdefault(parts[level], []).append(picture)
    return dict(sorted(classes.items()))


def _split_members(found: Sequence[Picture], level: int, root: Path) -> dict[str, Classes] | None:
    """The classes of each split, if the folders on this level are those of the splits.

    Raises ValueError if two of them are of one split.
    """
    tops = _by_folder(found, level)
    splits = {split: label for label in tops if (split := split_of(label))}
    if len(splits) < 2 or "train" not in splits or not all(map(split_of, tops)):
        return None
    if any(len(places.parts_inside(p)) < level + 3 for some in tops.values() for p in some):
        return None  # images straight in train: a class of that name
    check_once(tops, str(root))
    return {split: _by_folder(tops[label], level + 1) for split, label in splits.items()}
