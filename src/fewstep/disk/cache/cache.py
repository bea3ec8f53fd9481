"""Decoded datasets on disk, so that the second start takes milliseconds.

The key of an entry is a hash of everything that it depends on, so a changed setting or source file
makes a new entry and nothing ever has to be invalidated. What an entry is on disk, and when it is
believed, `entries` knows.

A source file is told by its name, size and time, and by how it begins and ends: times are worth
little where a tar or a copy has set them, and a folder may be another's by its new name. A zip file
is told by the checksums in its directory, a gzip file by that at its end. So a long file that is
changed in its middle alone, with its size and its time kept, goes unnoticed: `fewstep cache
clear=NAME` has it read anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fewstep.disk.cache import building, entries
from fewstep.disk.cache.entries import Content
from fewstep.disk.homes import expanded, home


__all__ = ["Content", "TooMany", "cache_dir", "cached", "fingerprint", "folder_fingerprint"]

NAME_LENGTH = 200
"""The most bytes that a dataset's name may have, so that it can begin the name of a file."""

NO_HOME = "Set FEWSTEP_CACHE to a folder for the cache"

ENDS = 4096
"""Bytes at either end of a file that is no archive, by which it is told from others."""
END = struct.Struct("<4s8xI6x")
"""The end of a zip file: its mark, and the bytes of the directory in front of it."""
BETWEEN = 76
"""The bytes that lie between the two in a zip file of more than 4 GiB."""
ZIP64, FULL = b"PK\6\6", 0xFFFFFFFF
"""How these begin, and what the end then says of the directory."""


def cache_dir() -> Path:
    """$FEWSTEP_CACHE, else $XDG_CACHE_HOME/fewstep, else ~/.cache/fewstep; may not exist yet.

    Raises:
        ConfigError: a home folder that is not known.
    """
    if chosen := os.environ.get("FEWSTEP_CACHE"):
        return expanded(chosen, "FEWSTEP_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or home(NO_HOME) / ".cache"
    return Path(base) / "fewstep"


def cached(
    name: str, settings: dict[str, Any], build: Callable[[], Content]
) -> tuple[np.ndarray, dict[str, Any]]:
    """The array kept under these settings, as a copy-on-write memory map, and what goes with it:
    the content's `about`, and as `sha256` the checksums of its classes.

    `build` is called when there is no entry, or none that holds what was written. Entries are
    written aside and moved into place, so no reader ever sees half of one, and a lock lets the
    processes of one run wait for the first instead of all building.

    Raises ValueError for a name that is no plain file name, OSError, naming the folder and the
    fix, where the cache cannot be written or would not fit on its disk.
    """
    path = cache_dir() / f"{_plain(name)}-{key(settings)}.npy"
    if (entry := entries.read(path)) is not None:
        return entry
    with building.explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with building.locked(path) as held:
        if (entry := entries.read(path)) is None:
            building.clear_parts(path.parent, own=path if held else None)
            content = build()
            _check_room(name, path.parent, math.prod(content.shape))
            entries.write(path, content)
            entry = entries.read(path)
    if entry is None:
        raise OSError(f"{path}: was written and cannot be read back; check that disk")
    return entry


def key(settings: dict[str, Any]) -> str:
    """Sixteen hex digits that settings share when they are equal."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(name: str) -> str:
    """The name, if it stays inside the cache whatever file names are made of it."""
    odd = not name.isprintable() or set(name) & set('/\\:*?"<>|') or name.startswith(".")
    if not name or odd or len(os.fsencode(name)) > NAME_LENGTH:
        raise ValueError(
            f"dataset.name={name!r}: must be a plain name of at most {NAME_LENGTH} bytes, for the "
            "cache has files of that name: letters, digits, - and _, no / and no dot in front. For "
            "example dataset.name=my_images"
        )
    return name


def fingerprint(path: Path) -> list[Any]:
    """A source file's name, size in bytes, time of change in ns and a checksum of its ends, for a
    cache key; of a zip or gzip file what it says of its contents instead."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns, _seal(path, stat.st_size)]


class TooMany(Exception):
    """A folder has more files than were to be looked at."""


def folder_fingerprint(folder: Path, most: int | None = None) -> list[Any]:
    """A folder's path, files, bytes and a hash of its files' names, sizes and times of change, for
    a cache key.

    The 32,460 files of an extracted Omniglot take about 0.3 s.

    Raises TooMany for more than `most` files.
    """
    found = sorted(islice(_files(folder, ""), most and most + 1))
    if most and len(found) > most:
        raise TooMany(str(folder))
    text = "\0".join(f"{name}\0{size}\0{changed}" for name, size, changed in found)
    total = sum(size for _, size, _ in found)
    digits = hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
    return [str(folder.resolve()), len(found), total, digits]


def _files(folder: Path | str, below: str, above: tuple[str, ...] = ()) -> Iterator[tuple]:
    """`(path below the top, size, time of change in ns)` of every file, links followed."""
    here = os.path.realpath(folder)
    if here in above:  # a link that leads back up
        return
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir():
                yield from _files(entry.path, f"{below}{entry.name}/", (*above, here))
            elif entry.is_file():
                stat = entry.stat()
                yield f"{below}{entry.name}", stat.st_size, stat.st_mtime_ns


def _check_room(name: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"dataset={name}: its images would take {needed / 2**30:.1f} GiB in the cache "
            f"{folder}, and {free / 2**30:.1f} GiB are free there; lower dataset.size, or how many "
            "images there are, or set FEWSTEP_CACHE to a folder on a larger disk"
        )


def _seal(path: Path, size: int) -> int:
    """The checksum that an archive carries: of a zip file its whole directory, which has one of
    every member; of a gzip file the last eight bytes. Of any other file one of its two ends."""
    with path.open("rb") as file:
        head = file.read(ENDS)
        if head[:2] == b"\x1f\x8b" and size > 8:
            return zlib.crc32(_read_at(file, size - 8, 8))
        if head[:2] != b"PK":
            start = max(ENDS, size - ENDS)
            return zlib.crc32(_read_at(file, start, ENDS) if size > ENDS else b"", zlib.crc32(head))
        first = max(0, size - END.size - 0xFFFF)  # a comment may follow the end
        tail = _read_at(file, first, size - first)
        found = tail.rfind(b"PK\5\6")
        if found < 0 or len(tail) < found + END.size:
            return zlib.crc32(tail)  # no whole zip file: whoever reads it will say so
        _, length = END.unpack_from(tail, found)
        wide = tail.rfind(ZIP64, 0, found)
        if length == FULL and wide >= 0:  # as some write it who never need it
            length = int.from_bytes(tail[wide + 40 : wide + 48], "little")
        start = max(0, first + found - length - BETWEEN)
        return zlib.crc32(_read_at(file, start, first + found - start))


def _read_at(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)
