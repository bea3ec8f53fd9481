"""Images with a table that says what is on each: labels.csv beside an images folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from warnings import warn

from fewstep.data.images.pictures import Classes, Picture
from fewstep.data.layouts import places
from fewstep.data.layouts.given_splits import Found, split_of, together
from fewstep.data.layouts.listed_images import Images, tidy
from fewstep.disk import tables
from fewstep.disk.archives import archive
from fewstep.disk.bad_files import BadFile, BadFiles
from fewstep.messages.errors import some


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


@dataclass(frozen=True)
class _Line:
    """What a line of a table says of an image."""

    label: str
    split: str
    where: str = field(compare=False)

    def __str__(self) -> str:
        return " of ".join(filter(None, (self.label, self.split)))


def read(folder: Path, found: Tables) -> Found:
    """The classes that the tables of a folder name, and their split, if they tell one.

    Images that no table lists are left out, which is told.

    Raises BadFiles, naming the table and each line, for images that are not there, that could be
    several, or that have two labels, and for splits that are none.
    """
    images = Images(folder)
    rows = [(n, t, row) for n, t in found.items() for row in tables.read_rows(t, str(t))]
    known: dict[Picture, _Line] = {}
    bad: list[BadFile] = []
    for name, table, row in rows:
        try:
            line = _line(row, name, table)
            before = known.setdefault(images.get(row.file, line.where), line)
            if before != line:
                raise BadFile(
                    f"{line.where}:",
                    f"'{row.file}' is {line} here and {before} in {before.where}",
                    "keep one label and split an image",
                )
        except BadFile as wrong:
            bad.append(wrong)
    if bad:
        raise BadFiles(bad, len(rows))
    _tell_left_out(folder, [p for p in images.all if p not in known], len(images.all), found)
    splits: dict[str, Classes] = {}
    for picture, line in known.items():
        splits.setdefault(line.split, {}).setdefault(line.label, []).append(picture)
    if set(splits) == {""}:
        return Found(_sorted(splits[""]))
    whole = together(splits, str(folder))
    return Found(_sorted(whole.classes), whole.parts, whole.clash)


def _line(row: tables.Row, name: str, table: Path) -> _Line:
    """What a row says, of a table that is called `name` as a split is. Raises BadFile."""
    where = f"{table}, line {row.line}"
    split = name if row.split is None else split_of(row.split)
    if split is None:
        raise BadFile(f"{where}:", f"'{row.split}' is no split", "write train, val or test")
    return _Line(tidy(row.label), split, where)


def _tell_left_out(folder: Path, left: Sequence[Picture], of: int, found: Tables) -> None:
    """Say which images might have been meant, and have no line."""
    if left:
        files, have, them = ("files", "have", "them") if len(left) > 1 else ("file", "has", "it")
        listed = " or ".join(sorted(table.name for table in found.values()))
        warn(
            f"{folder}: {len(left)} {files} of {of} {have} no line in {listed} "
            f"({some([picture.name for picture in left], 3)}), and no class. Add a line for each, "
            f"or move {them} away",
            stacklevel=3,
        )


def _sorted(classes: Mapping[str, list[Picture]]) -> Classes:
    return {label: sorted(classes[label], key=str) for label in sorted(classes)}
