"""Zip and tar files of images, read in place: no member is ever written under its name."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import Protocol

from fewstep.disk.archives.tars import Tar
from fewstep.disk.archives.zips import Zip
from fewstep.disk.bad_files import MOST
from fewstep.disk.folders import below
from fewstep.disk.magic import kind


ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
"""How the names of archives end that can be read."""
TARS = ("a tar archive", "a gzip file", "a bzip2 file", "an xz file")


class Archive(Protocol):
    """An archive that is open."""

    path: Path
    left_out: list[str]
    """Names that point outside of the archive, and symbolic links: none is followed."""

    def paths(self) -> list[PurePosixPath]:
        """Where the files are, sorted; without folders and litter, and each name once."""
        ...

    def read(self, path: PurePosixPath, most: int) -> bytes:
        """A file's bytes, `most` at the most; for several threads at once. Raises BadFile."""
        ...

    def close(self) -> None:
        """Give the file back."""


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A zip or tar file to read from; its first bytes say which, not its name.

    Raises ValueError, naming the file and the fix, if it is damaged, or is something else.
    """
    with path.open("rb") as file:
        what = kind(file.read(512))
    reader = _reader(path, what)
    try:
        archive = reader(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(
            f"{path} is damaged or not a whole zip file ({error}); copy or fetch it again"
        ) from error
    except (tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise ValueError(
            f"{path} is {what} in which no whole tar can be read ({error}); copy or fetch it again"
        ) from error
    with closing(archive):
        yield archive


def files(source: Path, ending: str) -> Iterator[tuple[PurePath, Callable[[], bytes]]]:
    """The files of an archive or a folder with an ending, sorted by path, and their bytes."""
    if source.is_dir():
        for path in below(source):
            if path.suffix.lower() == ending:
                yield path, path.read_bytes
        return
    with opened(source) as packed:
        for member in packed.paths():
            if member.suffix.lower() == ending:
                yield member, partial(packed.read, member, MOST)


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive which can be read."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def stem(path: Path) -> str:
    """An archive's name without its ending."""
    ending = max((e for e in ENDINGS if path.name.lower().endswith(e)), key=len, default="")
    return path.name[: len(path.name) - len(ending)]


def _reader(path: Path, what: str) -> Callable[[Path], Archive]:
    if what in TARS:
        return Tar
    if what.endswith("zip archive") or zipfile.is_zipfile(path):
        return Zip  # also behind a program that unpacks it
    if what not in ("an empty file", "nothing but zero bytes") and tarfile.is_tarfile(path):
        return Tar  # of the old kind, which has no mark
    raise ValueError(
        f"{path} is {what}; images are read from folders, zip files and tars (.tar, .tar.gz, "
        f".tar.bz2, .tar.xz): unpack it, or point dataset.root to one of those"
    )
