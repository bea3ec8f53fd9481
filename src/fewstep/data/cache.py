"""Decoded datasets on disk, so that the second start takes milliseconds.

An entry is a uint8 array `<name>-<key>.npy`, opened as a memory map, and what goes with it (class
names, counts) in `<name>-<key>.json`. The key is a hash of everything the entry depends on, so a
changed setting or source file makes a new entry and nothing ever has to be invalidated.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


try:
    import fcntl
except ImportError:  # no file locks on this system: two processes may build the same entry
    fcntl = None


@dataclass
class Content:
    """What is to be cached: an array in pieces, so that it never has to fit into memory."""

    shape: tuple[int, ...]
    """The whole array's, uint8."""
    pieces: Iterable[np.ndarray]
    """The array, cut along its first axis, in order."""
    about: dict[str, Any] = field(default_factory=dict)
    """What JSON can hold: class names, counts."""


def cache_dir() -> Path:
    """$FEWSTEP_CACHE, else $XDG_CACHE_HOME/fewstep, else ~/.cache/fewstep; may not exist yet."""
    if chosen := os.environ.get("FEWSTEP_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fewstep"


def cached(
    name: str, settings: dict[str, Any], build: Callable[[], Content]
) -> tuple[np.ndarray, dict[str, Any]]:
    """The array kept under these settings, as a copy-on-write memory map, and what goes with it.

    `build` is called when there is no entry, or none that can be read. Entries are written aside
    and moved into place, so no reader ever sees half of one, and a lock lets the processes of one
    run wait for the first instead of all building.

    Raises OSError, naming the folder and the fix, where the cache cannot be written or would not
    fit on its disk.
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = cache_dir() / f"{name}-{key}.npy"
    if (entry := _read(path)) is not None:
        return entry
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_suffix(".lock")):
        if (entry := _read(path)) is None:
            content = build()
            _check_room(name, path.parent, math.prod(content.shape))
            _write(path, content)
            entry = _read(path)
    if entry is None:
        raise OSError(f"{path}: was written and cannot be read back; check that disk")
    return entry


def fingerprint(path: Path) -> list[Any]:
    """A source file's name, size in bytes and time of change in ns, for a cache key."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


def folder_fingerprint(folder: Path) -> list[Any]:
    """A folder's path, files, bytes and latest time of change in ns, for a cache key.

    The 32,460 files of an extracted Omniglot take about 0.2 s.
    """
    files, size, newest, folders = 0, 0, 0, [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file():
                    stat = entry.stat()
                    files, size = files + 1, size + stat.st_size
                    newest = max(newest, stat.st_mtime_ns)
    return [str(folder.resolve()), files, size, newest]


def _read(path: Path) -> tuple[np.ndarray, dict[str, Any]] | None:
    try:
        about = json.loads(path.with_suffix(".json").read_text())
        # Copy-on-write rather than read-only: torch warns about arrays it could not write to.
        return np.load(path, mmap_mode="c"), about
    except (OSError, ValueError, EOFError):  # none, or not one of ours
        return None


def _check_room(name: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"dataset={name}: its images would take {needed / 2**30:.1f} GiB in the cache "
            f"{folder}, and {free / 2**30:.1f} GiB are free there; lower dataset.size, or how many "
            "images there are, or set FEWSTEP_CACHE to a folder on a larger disk"
        )


def _write(path: Path, content: Content) -> None:
    def array(file: BinaryIO) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        np.lib.format.write_array_header_1_0(file, header)
        rows = 0
        for piece in pieces:
            with _explained(path):
                file.write(np.ascontiguousarray(piece, dtype=np.uint8))
            rows += len(piece)
        if rows != content.shape[0]:
            raise RuntimeError(f"{path.name}: {rows} rows were made, not {content.shape[0]}")

    pieces = iter(content.pieces)
    _write_aside(path.with_suffix(".json"), lambda f: f.write(json.dumps(content.about).encode()))
    _write_aside(path, array)


def _write_aside(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file under another name and move it into place; leave nothing behind on failure."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with _explained(path):
        file = aside.open("xb")
    try:
        with file:
            write(file)
            with _explained(path):
                file.flush()
                os.fsync(file.fileno())
        with _explained(path):
            os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the system drops it when the process dies."""
    with _explained(path):
        # Never through a link, which may lead to any file of the user's.
        lock = os.fdopen(
            os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        )
    with lock:
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks: both may build
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn a failure to write into one that says where and what to do."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"cannot write the dataset cache {path}: {error.strerror or error}; free some space "
            f"there, or set FEWSTEP_CACHE to a folder that can be written"
        ) from error
