"""Tar files, compressed or not. Nothing in them is followed or extracted: they are read as bytes.

A tar has no table of contents, so it is read through once for one, which the cache keeps. Of a
compressed one the files are unpacked, the first time that one is read, into a temporary file
without a name beside the cache: threads want them in any order.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, Literal, NamedTuple

import numpy as np

from fewstep.disk.archives.member_names import placed
from fewstep.disk.bad_files import BadFile, too_large
from fewstep.disk.cache.cache import Content, cache_dir, cached, fingerprint


Mode = Literal["r:", "r:gz", "r:bz2", "r:xz"]

PACKED: dict[bytes, tuple[Mode, Callable[[Path], BufferedIOBase]]] = {
    b"\x1f\x8b": ("r:gz", gzip.open),
    b"BZh": ("r:bz2", bz2.open),
    b"\xfd7zXZ\x00": ("r:xz", lzma.open),
}
"""By a file's first bytes, how tarfile reads it and what unpacks it."""
LONGEST = 2**20
"""Bytes that a header with a long name, or with what else pax keeps, may have."""


class Place(NamedTuple):
    """Where a member's bytes are in the unpacked tar."""

    offset: int
    size: int
    whole: bool
    """Not a sparse file, whose bytes do not lie in one piece."""


class Tar:
    """The files in a tar. Raises what tarfile and unpackers do if it is not one, or not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        settings = {"layout": 1, "tar": fingerprint(path)}
        _, about = cached(
            "tar", settings, lambda: Content((1,), [np.zeros(1, np.uint8)], _contents(path))
        )
        self.left_out: list[str] = about["left_out"]
        """Names that point outside of the archive, and symbolic links: none is followed."""
        self._members = {PurePosixPath(p): Place(*place) for p, *place in about["members"]}
        self._bytes: BufferedIOBase | None = None
        self._lock = Lock()

    def close(self) -> None:
        """Give the files back."""
        if self._bytes is not None:
            self._bytes.close()

    def paths(self) -> list[PurePosixPath]:
        """Where the files are, sorted."""
        return sorted(self._members)

    def read(self, path: PurePosixPath, most: int) -> bytes:
        """A file's bytes, `most` at the most; for several threads at once. Raises BadFile."""
        place, where = self._members[path], f"{path} in {self.path}"
        if place.size > most:
            raise too_large(where, place.size, most)
        if not place.whole:
            raise BadFile(where, "is stored as a sparse file", "pack it without --sparse")
        try:
            with self._lock:
                if self._bytes is None:
                    self._bytes = self._opened(most)
                self._bytes.seek(self._members[path].offset)
                data = self._bytes.read(place.size)
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            raise BadFile(where, f"is damaged ({error})", "copy or fetch the tar again") from error
        if len(data) < place.size:
            raise BadFile(where, "is cut short", "copy or fetch the tar again")
        return data

    def _opened(self, most: int) -> BufferedIOBase:
        """The tar itself; of a compressed one the members, unpacked one after another."""
        mode, opener = _packed(self.path)
        if mode == "r:":
            return opener(self.path)
        unpacked = tempfile.TemporaryFile(dir=cache_dir())  # noqa: SIM115 (closed in `close`)
        moved: dict[int, int] = {}
        with opener(self.path) as source:
            for path, place in sorted(self._members.items(), key=lambda item: item[1].offset):
                if place.size <= most and place.offset not in moved:  # a second name has it too
                    moved[place.offset] = unpacked.tell()
                    source.seek(place.offset)
                    unpacked.write(source.read(place.size))
                self._members[path] = place._replace(offset=moved.get(place.offset, 0))
        return unpacked


def _packed(path: Path) -> tuple[Mode, Callable[[Path], BufferedIOBase]]:
    with path.open("rb") as file:
        start = file.read(8)
    for mark, how in PACKED.items():
        if start.startswith(mark):
            return how
    return "r:", lambda path: path.open("rb")


def _contents(path: Path) -> dict[str, Any]:
    """The table of contents: [path, offset, size, whole] of every file, and what is left out."""
    infos: dict[str, tarfile.TarInfo] = {}
    links = []
    with tarfile.open(path, _packed(path)[0], tarinfo=_Header) as tar:
        for info in tar:
            if info.isreg():
                infos[info.name] = info
            elif info.islnk() and info.linkname in infos:  # a second name of a file before it
                infos[info.name] = infos[info.linkname]
            elif info.issym() or info.islnk():
                links.append(info.name)
    paths, outside = placed(infos)
    places = ((p, infos[name]) for name, p in paths.items())
    members = [[_text(str(p)), i.offset_data, i.size, not i.issparse()] for p, i in places]
    return {"members": members, "left_out": [_text(name) for name in (*outside, *links)]}


def _text(name: str) -> str:
    """A name with the bytes that are not UTF-8 taken for cp437, as in a zip file."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp437")
    return name


class _Header(tarfile.TarInfo):
    """A member's header. tarfile would read a long name into memory whatever its size."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        header = super().frombuf(buf, encoding, errors)
        if header.type[0] in b"LKxXg" and header.size > LONGEST:
            raise tarfile.ReadError(f"a name of {header.size} bytes")
        return header
