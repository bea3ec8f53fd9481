"""Building an entry of the cache: by one process at a time, each file whole or not there."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout


PART = re.compile(r"(.+-[0-9a-f]{16})\.(npy|json)\.[0-9a-f]{32}\.part")
"""A file that is being written, and the entry that it is of."""


def write_aside(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file under another name and move it into place; leave nothing behind on failure."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with explained(path):
        file = aside.open("xb")
    try:
        with file:
            write(file)
            with explained(path):
                file.flush()
                os.fsync(file.fileno())
        with explained(path):
            os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def clear_parts(folder: Path, own: Path | None = None) -> list[Path]:
    """Remove what killed builds have left, and say what. `own` is an entry whose lock is held here.

    Never what another process is writing: it holds the lock of its entry.
    """
    removed = []
    parts = [(file, match[1]) for file in folder.iterdir() if (match := PART.fullmatch(file.name))]
    for part, name in parts:
        entry = folder / f"{name}.npy"
        lock = contextlib.nullcontext(True) if entry == own else locked(entry, wait=False)
        with contextlib.suppress(OSError), lock as held:
            if held:
                part.unlink()
                removed.append(part)
    return removed


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool | None]:
    """Hold the lock of an entry, which the system drops when the process dies; whether it is held.

    False where another process has it, which only happens without `wait`; None where there are no
    locks: two processes may build the same entry then.
    """
    lock = FileLock(path.with_suffix(".lock"), thread_local=False, fallback_to_soft=False)
    with explained(path):
        held = _acquired(lock, wait)
    try:
        yield held
    finally:
        lock.release()


def _acquired(lock: FileLock, wait: bool) -> bool | None:
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        return False
    except NotImplementedError:  # a file system without locks
        return None
    return True


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a failure to write into one that says where and what to do."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"cannot write the dataset cache {path}: {error.strerror or error}; free some space "
            f"there, or set FEWSTEP_CACHE to a folder that can be written"
        ) from error
