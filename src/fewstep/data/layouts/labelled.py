"""Images with a table that says what is on each: labels.csv beside an images folder."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fewstep.data.digest import composed
from fewstep.data.images import pictures
from fewstep.data.images.pictures import Classes, Picture
from fewstep.data.layouts import places
from fewstep.data.layouts.given_splits import Found, split_of, together
from fewstep.disk import tables
from fewstep.disk.archives import archive


TABLES = ("labels", "label", "annotations", "metadata", "images")
"""What a table of all images may be called; one a split is called as the split."""

SUFFIXES = (".csv", ".tsv")

IMAGES = ("images", "image", "imgs", "img", "pictures", "photos", "data", "jpg", "jpeg", "png")
"""What a folder of images may be called where there are others, besides the splits' names."""

Tables = dict[str, Path]
"""The table of each split, or that of all images under the empty name."""


def find(folder: Path) -> Tables | None:
    """The tables of a folder that holds images in no order, or None.

    It has a file called labels.csv (or as `TABLES` says; or train.csv and val.csv or test.csv),
    whose first line is `filename,label` or the like, and maybe `split`; with the images beside
    it, in one folder beside it, or in folders that are called images or as the splits are. A
    folder with a folder a class, or with archives, is read as that.
    """
    found = {n: path for n, path in _named(folder).items() if tables.is_table(path, str(path))}
    if "" in found:
        return {"": found[""]}
    if "train" not in found:
        return None
    return found if len(found) > 1 else {"": found["train"]}


def is_table(file: Path) -> bool:
    """Whether a file is a table of labels, by its ending and its titles."""
    return file.suffix.lower() in SUFFIXES and tables.is_table(file, str(file))


def explain(folder: Path) -> None:
    """Raise ValueError if a folder has a file that would be such a table but for its titles."""
    for path in _named(folder).values():
        tables.read_rows(path, str(path))


def _named(folder: Path) -> Tables:
    """The files of a folder that are called as tables are, if it has no folder a class."""
    inside = [p.name for p in places.subfolders(folder)]
    if len(inside) > 1 and any(split_of(n) is None and n.lower() not in IMAGES for n in inside):
        return {}
    found: Tables = {}
    for path in places.entries(folder):
        if archive.is_archive(path):
            return {}
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = split_of(path.stem) or ("" if tables.plain(path.stem) in TABLES else None)
            if name is not None:
                found[name] = path
    return found


def read(folder: Path, found: Tables) -> Found:
    """The classes that the tables of a folder name, and their split, if they tell one.

    Images that no table lists are left out.

    Raises ValueError, naming the table and the line, for an image that is not there, that could be
    several, or that has two labels, and for a split that is none.
    """
    images = _Images(folder)
    splits: dict[str, Classes] = {}
    known: dict[Picture, tuple[str, str, str]] = {}
    for name, table in found.items():
        for row in tables.read_rows(table, str(table)):
            where = f"{table}, line {row.line}"
            split = name if row.split is None else split_of(row.split)
            if split is None:
                raise ValueError(f"{where}: '{row.split}' is no split; write train, val or test")
            picture, label = images.get(row.file, where), _composed(row.label)
            if picture not in known:
                known[picture] = label, split, where
                splits.setdefault(split, {}).setdefault(label, []).append(picture)
            elif known[picture][:2] != (label, split):
                before = " of ".join(filter(None, known[picture][:2]))
                raise ValueError(
                    f"{where}: '{row.file}' is {' of '.join(filter(None, (label, split)))} here "
                    f"and {before} in {known[picture][2]}; keep one label and split an image"
                )
    if set(splits) == {""}:
        return Found(_sorted(splits[""]))
    whole = together(splits, str(folder))
    return Found(_sorted(whole.classes), whole.parts, whole.clash)


def _sorted(classes: Mapping[str, list[Picture]]) -> Classes:
    return {label: sorted(classes[label], key=str) for label in sorted(classes)}


class _Images:
    """The images under a folder, found by what a table may call them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_name: dict[str, list[tuple[tuple[str, ...], Picture]]] = {}
        for picture in _below(folder):
            path = PurePosixPath(picture.path.relative_to(folder).as_posix())
            parts = tuple(_composed(part) for part in path.parts)
            for name in {parts[-1], PurePosixPath(parts[-1]).stem}:
                self._by_name.setdefault(name, []).append((parts, picture))

    def get(self, file: str, where: str) -> Picture:
        """The image of that name, path or name without its ending.

        Raises ValueError, beginning with `where`, unless there is exactly one.
        """
        wanted = PurePosixPath(_composed(file.replace("\\", "/"))).parts
        found = self._by_name.get(wanted[-1], []) if wanted else []
        shared = {parts: _shared(parts, wanted) for parts, _ in found}
        # A path may be one on another computer: what it begins with, and the folder of images
        # itself, may differ, but no folder in between.
        most = max(shared.values(), default=0)
        found = [
            (parts, picture)
            for parts, picture in found
            if shared[parts] == most and most >= min(len(wanted), len(parts) - 1)
        ]
        if not found:
            raise ValueError(f"{where}: lists '{file}', which is not under {self.folder}")
        if len(found) > 1:
            raise ValueError(
                f"{where}: '{file}' could be {found[0][1]} or {found[1][1]}; write the path from "
                f"{self.folder}"
            )
        return found[0][1]


def _below(folder: Path) -> list[Picture]:
    """All images in a folder and in those below it."""
    inside = [path for path in places.entries(folder) if path.is_file()]
    found = [Picture(path) for path in inside]
    if places.subfolders(folder):
        found += [p for some in pictures.find_classes(folder).values() for p in some]
    return [picture for picture in found if places.is_image(picture.path.name)]


def _shared(parts: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    """In how many parts two paths agree, counted from the end; their names do."""
    pairs = zip(reversed(parts[:-1]), reversed(wanted[:-1]), strict=False)
    return 1 + sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _composed(text: str) -> str:
    return composed(text.strip())
