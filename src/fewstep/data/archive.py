"""Zip files of images, read in place: nothing is ever extracted to disk."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file to read from. Raises ValueError, naming the file and the fix, if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"{path} is damaged or not a whole zip file ({error}); delete it and fetch it again"
        ) from error
    except RuntimeError as error:  # of zipfile: NotImplementedError, or without a class of its own
        if isinstance(error, NotImplementedError) or "encrypted" in str(error):
            raise ValueError(
                f"{path} is encrypted or compressed in a way that Python's zipfile cannot read "
                f"({error}); unpack it and zip it again, without a password"
            ) from error
        raise


def members(archive: zipfile.ZipFile) -> list[PurePosixPath]:
    """The paths of the files inside, sorted; those that could point outside are left out."""
    paths = (PurePosixPath(info.filename) for info in archive.infolist() if not info.is_dir())
    return sorted(path for path in paths if is_safe(path) and not is_hidden(path))


def is_safe(path: PurePosixPath) -> bool:
    """No absolute path, no drive letter, no step up."""
    text = str(path)
    return not (path.is_absolute() or ".." in path.parts or "\\" in text or ":" in path.parts[0])


def is_hidden(path: PurePosixPath | Path) -> bool:
    """What desktops leave behind: .DS_Store, __MACOSX, Thumbs.db, desktop.ini."""
    litter = {"__MACOSX", "thumbs.db", "desktop.ini"}
    return any(
        part.startswith(".") or part in litter or part.lower() in litter for part in path.parts
    )
