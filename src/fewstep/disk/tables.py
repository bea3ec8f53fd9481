"""Tables as people have them: comma, semicolon or tab; any of the usual names over the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fewstep.disk import texts


DELIMITERS = "\t;,"

FILES = ("filename", "file", "filepath", "path", "image", "imagepath", "imagefile", "imagename",
         "img", "imgpath", "imgname", "imageid", "id", "name")  # fmt: skip
LABELS = ("label", "class", "category", "classname", "labelname", "categoryname", "target",
          "labels", "classes", "species")  # fmt: skip
SPLITS = ("split", "set", "subset", "partition")
"""What the columns may be called, the likeliest first; case, spaces, `_` and `-` do not count."""


@dataclass(frozen=True)
class Row:
    """One image of a table."""

    line: int
    file: str
    label: str
    split: str | None
    """None where the table has no such column."""


def plain(title: str) -> str:
    """A column's title without what does not count."""
    return re.sub(r"[\s_\-]", "", title.strip().strip("'\"")).casefold()


def column(titles: Sequence[str], names: Sequence[str]) -> int | None:
    """Which column has one of these names; the earlier name wins, None if none has."""
    folded = [plain(title) for title in titles]
    return next((folded.index(name) for name in names if name in folded), None)


def fields(line: str, delimiter: str) -> list[str]:
    """One line's cells, without quotes and the spaces around them."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # longer than any cell of a table
        return [line]
    return [cell.strip() for cell in cells]


def without_hint(lines: list[str]) -> list[str]:
    """The lines, the first one emptied if it only tells Excel the delimiter (`sep=;`)."""
    if lines and re.fullmatch(r"\s*\"?sep=.\"?\s*", lines[0], re.IGNORECASE):
        return ["", *lines[1:]]
    return lines


def is_table(path: Path, where: str) -> bool:
    """Whether a text file begins with titles of which one is an image's and one a label's."""
    return _columns(texts.read_lines(path, where)) is not None


def read_rows(path: Path, where: str) -> list[Row]:
    """The images of a table, in its order.

    Raises ValueError, naming the file and the line, if the titles are missing or a cell is empty.
    """
    lines = without_hint(texts.read_lines(path, where))
    found = _columns(lines)
    if found is None:
        first = next((line for line in lines if line.strip()), "")
        raise ValueError(
            f"{where}: its first line must be 'filename,label' (or other usual titles of the two, "
            f"with commas, semicolons or tabs between), but is '{first[:80]}'"
        )
    delimiter, start, places = found
    rows = []
    for number, line in enumerate(lines[start:], start + 1):
        if not line.strip():
            continue
        cells = fields(line, delimiter)
        file, label, split = (
            None if place is None else cells[place] if place < len(cells) else ""
            for place in places
        )
        if not file or not label or split == "":
            raise ValueError(
                f"{where}, line {number}: '{line[:80]}' lacks its file, label or split; complete "
                f"or remove the line"
            )
        rows.append(Row(number, file, label, split))
    if not rows:
        raise ValueError(f"{where}: lists no image")
    return rows


def _columns(lines: list[str]) -> tuple[str, int, tuple[int, int, int | None]] | None:
    """The delimiter, the number of lines to the titles, and where file, label and split stand."""
    lines = without_hint(lines)
    start = next((n for n, line in enumerate(lines) if line.strip()), None)
    if start is None:
        return None
    for delimiter in DELIMITERS:
        titles = fields(lines[start], delimiter)
        file, label, split = (column(titles, names) for names in (FILES, LABELS, SPLITS))
        if file is not None and label is not None:
            return delimiter, start + 1, (file, label, split)
    return None
