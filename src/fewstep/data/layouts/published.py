"""Mini-ImageNet and CIFAR-FS as files of images: the published classes, wherever they lie."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fewstep.core.types import SPLITS
from fewstep.data.images import pictures
from fewstep.data.images.pictures import Classes, Picture
from fewstep.data.layouts import places
from fewstep.data.layouts.given_splits import split_of
from fewstep.disk import tables
from fewstep.disk.archives import archive


TABLES = (".", "split", "splits")
"""Where the tables of a split lie, from the folder that has the images folder."""

IMAGES = "images"


def in_folders(root: Path, listed: Collection[str]) -> Classes:
    """The classes under a folder, or in an archive.

    They lie in a folder each, or so in folders train, val and test, in the root or up to two
    levels below it; the place that has most of them counts.
    """
    if not root.is_dir():
        return in_archive(pictures.find_classes(root), listed)
    names = frozenset(listed)
    found = {place: _classes(place) for place in places.near(root, names)}
    best = max(found, key=lambda place: len(names.intersection(found[place])))
    if not names.intersection(found[best]):
        inside = places.entries(root)
        packed = any(map(archive.is_archive, inside))
        return in_archive(pictures.find_classes(root), listed) if packed else {}
    classes: Classes = {}
    parents = list(dict.fromkeys(found[best].values()))
    for parent in parents:
        classes |= pictures.find_classes(parent)
    if parents == [root]:  # classes that no list names have their numbers here, as ever
        return classes
    return {name: classes[name] for name in sorted(names.intersection(classes))}


def complete(root: Path, listed: Collection[str]) -> bool:
    """Whether all the classes lie in the root itself, or in its folders train, val and test."""
    return root.is_dir() and set(listed) <= set(_classes(root))


def _classes(place: Path) -> dict[str, Path]:
    """The folders in a place, or in its folders train, val and test, and where each lies."""
    splits = {split_of(p.name): p for p in places.subfolders(place)}
    parents = [splits[s] for s in SPLITS] if set(SPLITS) <= set(splits) else [place]
    return {p.name: parent for parent in parents for p in places.subfolders(parent)}


def in_archive(classes: Classes, listed: Collection[str]) -> Classes:
    """The classes out of one archive, whatever folders are around theirs.

    Args:
        classes: what `pictures.find_classes` made of it.
        listed: the published names; each counts where most of them lie side by side.
    """
    if set(listed) <= set(classes):
        return classes
    groups: dict[tuple[str, ...], Classes] = {}
    for picture in (picture for some in classes.values() for picture in some):
        parts = places.parts_inside(picture)[:-1] if picture.member else ()
        at = max((n for n, part in enumerate(parts) if part in listed), default=None)
        if at is not None:
            above = parts[:at]
            above = above[:-1] if above and split_of(above[-1]) else above
            groups.setdefault(above, {}).setdefault(parts[at], []).append(picture)
    best = max(groups.values(), key=len, default={})
    return dict(sorted(best.items())) or classes


def table_folders(root: Path) -> tuple[list[Path], Path] | None:
    """Where Ravi and Larochelle's images and tables lie: in the root or below, or None.

    The tables are beside the images folder, or in a folder split or splits beside it; or beside
    the images themselves.
    """
    for place in places.near(root) if root.is_dir() else ():
        for name in TABLES:
            if (place / name / "train.csv").is_file():
                images = [place / IMAGES] if (place / IMAGES).is_dir() else [place, place / name]
                return images, place / name
    return None


def in_tables(images: list[Path], where: Path) -> Classes:
    """The classes that train.csv, val.csv and test.csv name, with the images that they list.

    Args:
        images: folders in which the images may lie, all together or a folder a class.
        where: the folder of the tables.

    Raises FileNotFoundError for a missing table, ValueError for a missing image, by name.
    """
    found: Classes = {}
    for split in SPLITS:
        table = where / f"{split}.csv"
        if not table.is_file():
            raise FileNotFoundError(f"{table} is missing; the layout has train, val and test.csv")
        for row in tables.read_rows(table, str(table)):
            name = Path(row.file.replace("\\", "/")).name
            candidates = [f / n for f in images for n in (name, f"{row.label}/{name}")]
            image = next((path for path in candidates if path.is_file()), None)
            if image is None:
                raise ValueError(
                    f"{table} lists {candidates[0]}, which does not exist (line {row.line})"
                )
            found.setdefault(row.label, []).append(Picture(image))
    return {label: sorted(files, key=str) for label, files in sorted(found.items())}
