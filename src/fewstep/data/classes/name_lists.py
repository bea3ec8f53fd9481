"""Class names out of a text file as people write, export and save such lists.

What a line means is decided by the classes that there are: `C#` is a class if there is a folder
of that name, and otherwise `C` with a comment after it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fewstep.data.digest import composed
from fewstep.disk import tables, texts


@dataclass(frozen=True)
class Entry:
    """A class that a list names."""

    name: str
    """As the data has it, if it has it; else as the list does."""
    line: int
    known: bool


class Names:
    """The classes that there are, found by any spelling that means the same letters."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self._composed = {composed(name): name for name in self.names}
        # Where two folders differ in nothing but that, each is found by its own spelling.
        self._composed |= {name: name for name in self.names}
        self.with_hash = any(name.startswith("#") for name in self.names)

    def get(self, text: str) -> str | None:
        """The class of this name; letters and accents may be one sign or two (macOS)."""
        return self._composed.get(text) or self._composed.get(composed(text))

    def meant(self, text: str) -> str | None:
        """The first class that one of the readings of a line or cell names."""
        return next(filter(None, map(self.get, _readings(text))), None)

    def like(self, text: str) -> str | None:
        """What was probably meant by a name that is no class; numbers are taken at their word."""
        folded = {_folded(name): name for name in self.names}
        if (wanted := _folded(text)) in folded:
            return folded[wanted]
        digits = re.sub(r"\D", "", wanted)
        others = [name for name in folded if re.sub(r"\D", "", name) == digits]
        close = difflib.get_close_matches(wanted, others, n=1, cutoff=0.8)
        return folded[close[0]] if close else None


def read_names(path: Path, where: str, names: Names) -> list[Entry]:
    """The classes that a file names, each once, in its order.

    It may hold a name a line, or a table of which one column is called label, class or the like,
    or holds nothing but classes. `#` begins a comment unless a class is called so.

    Raises ValueError, naming the line, if the file cannot be read as text.
    """
    try:
        entries = _entries(tables.without_hint(texts.read_lines(path, where)), names)
    except texts.NotUtf8Error as error:
        try:
            lines = tables.without_hint(texts.read_lines(path, where, western=True))
        except ValueError:
            raise error from None
        entries = _entries(lines, names)
        if any(not entry.known and not entry.name.isascii() for entry in entries):
            raise error from None  # the guess has not proved right
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.name, entry)
    return list(first.values())


def _entries(lines: list[str], names: Names) -> list[Entry]:
    entries = []
    for number, text in _cells(lines, names):
        name = names.meant(text)
        if name is not None:
            entries.append(Entry(name, number, True))
        elif stated := _stated(text, names):
            entries.append(Entry(stated, number, False))
    return entries


def _cells(lines: list[str], names: Names) -> list[tuple[int, str]]:
    """The line's number and the text that names a class: the whole line, or a cell of it."""
    rows = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    body = [(n, line) for n, line in rows if names.meant(line) or _stated(line, names)]
    if not body or names.meant(body[0][1]):
        return rows
    for delimiter in tables.DELIMITERS:
        cells = [(n, tables.fields(line, delimiter)) for n, line in body]
        titles = cells[0][1]
        place, first = tables.column(titles, tables.LABELS), 1
        if place is None:
            place, first = _column_of_names([row for _, row in cells], names), 0
        if place is not None:
            return [(n, row[place]) for n, row in cells[first:] if place < len(row)]
    return rows


def _column_of_names(rows: list[list[str]], names: Names) -> int | None:
    """The only column of a table without titles that holds classes all the way down."""
    if len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return None
    every = [all(map(names.meant, cells)) for cells in zip(*rows, strict=True)]
    return every.index(True) if sum(every) == 1 else None


def _readings(text: str) -> Iterator[str]:
    """What a text may name, the most literal first, then with a comment cut off."""
    for end in [len(text), *(m.start() for m in reversed([*re.finditer("#", text)]))]:
        part = text[:end]
        yield part
        yield part.strip()
        bare = _bare(part)
        yield bare
        yield bare.rpartition("/")[2]


def _stated(text: str, names: Names) -> str:
    """The name in a text that names no class there is; empty for a comment."""
    if re.match(r"\s*#(\s|$)" if names.with_hash else r"\s*#", text):
        return ""
    return _bare(re.split(r"\s#", text, maxsplit=1)[0])


def _bare(text: str) -> str:
    """Without spaces, quotes, `./` before and `/` after it; Windows' backslashes turned."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].replace(text[0] * 2, text[0]).strip()
    return text.replace("\\", "/").removeprefix("./").rstrip("/")


def _folded(name: str) -> str:
    """Without case, accents, separators and leading zeros."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    return re.sub(r"[\s_\-]+", "", letters).lstrip("0")
