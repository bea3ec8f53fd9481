"""One entry of the cache: three files, and when they are believed.

`NAME-KEY.npy` is a uint8 array that is opened as a memory map; `NAME-KEY.json`, its card, says what
goes with it (class names, counts), what it was made from, its shape, and a checksum of each class;
`NAME-KEY.lock` is held by the process that builds it.

The checksums are held against the array whenever the file is not, by its size and its times, the
one they were last held against: once after it was copied, restored or damaged, and at no other
start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fewstep.disk.cache.building import explained, write_aside


FORMAT = 2
"""Of the card. Entries with another are made again."""

Entry = tuple[np.ndarray, dict[str, Any]]
"""The array and what goes with it."""


@dataclass
class Content:
    """What is to be cached: an array in pieces, so that it never has to fit into memory."""

    shape: tuple[int, ...]
    """The whole array's, uint8."""
    pieces: Iterable[np.ndarray]
    """The array, cut along its first axis, in order."""
    about: dict[str, Any] = field(default_factory=dict)
    """What JSON can hold: class names, counts."""
    counts: Sequence[int] | None = None
    """How many rows each class has, for a checksum of its own; None for a single one."""
    source: str = ""
    """What it is made from, for people."""


class Sums:
    """Checksums of stretches of rows that arrive in pieces of any size."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._left = list(counts)
        self._hash = hashlib.sha256()
        self.found: list[str] = []

    def add(self, rows: np.ndarray) -> None:
        """Rows [n, ...] uint8, contiguous."""
        while len(rows) and self._left:
            part, rows = rows[: self._left[0]], rows[self._left[0] :]
            self._hash.update(part.data)
            self._left[0] -= len(part)
            if not self._left[0]:
                self._left.pop(0)
                self.found.append(self._hash.hexdigest())
                self._hash = hashlib.sha256()


def sums(rows: np.ndarray, counts: Sequence[int]) -> list[str]:
    """The SHA-256 of each stretch of `counts` rows of an array that is contiguous."""
    made = Sums(counts)
    made.add(rows)
    return made.found


def read(path: Path) -> Entry | None:
    """An entry; None where there is none, or none that is whole and holds what was written."""
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        # Copy-on-write rather than read-only: torch warns about arrays it could not write to.
        array = np.load(path, mmap_mode="c")
        if card["format"] != FORMAT or list(array.shape) != card["shape"]:
            return None
        if array.dtype != np.uint8 or not array.flags.c_contiguous:
            return None
        if card["stamp"] != _stamp(path):
            if sums(array, card["counts"]) != card["sha256"]:
                return None
            with contextlib.suppress(OSError):  # a cache that can only be read: again next time
                _write_card(path, card)
        return array, {**card["about"], "counts": card["counts"], "sha256": card["sha256"]}
    except (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError):
        return None  # none, or not one of ours


def write(path: Path, content: Content) -> None:
    """Make an entry, the array first: an entry without a card is none."""
    counts = [int(n) for n in content.counts or [content.shape[0]]]
    made = Sums(counts)

    def array(file: BinaryIO) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        np.lib.format.write_array_header_1_0(file, header)
        rows = 0
        for piece in pieces:
            if piece.shape[1:] != tuple(content.shape[1:]):
                raise RuntimeError(f"{path.name}: a row of {piece.shape[1:]} was made")
            piece = np.ascontiguousarray(piece, dtype=np.uint8)
            with explained(path):
                file.write(piece.data)
            made.add(piece)
            rows += len(piece)
        if rows != content.shape[0] or len(made.found) != len(counts):
            raise RuntimeError(f"{path.name}: {rows} rows were made, not {content.shape[0]}")

    pieces = iter(content.pieces)
    write_aside(path, array)
    card = {"format": FORMAT, "about": content.about, "shape": list(content.shape)}
    card |= {"counts": counts, "sha256": made.found, "source": content.source, "made": time.time()}
    _write_card(path, card)


def _write_card(path: Path, card: dict[str, Any]) -> None:
    text = json.dumps({**card, "stamp": _stamp(path)})
    write_aside(path.with_suffix(".json"), lambda file: file.write(text.encode()))


def _stamp(path: Path) -> list[int]:
    """What changes whenever the file does. Nobody sets the last of the three back."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
