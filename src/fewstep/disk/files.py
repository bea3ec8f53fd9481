"""Writing files so that each is whole or not there, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


WRITTEN = {".hydra", "checkpoints", "joint", "per_task", "tensorboard", "wandb"}
"""The folders of a run directory."""


DEEPEST = "per_task/" + 120 * "x"
"""As long as any path in a run directory is."""


PART = ".part"
"""What a file's name ends with while it is written, and the folder for several of one output."""


class CannotWrite(Exception):
    """A file that could not be written; its text is all that the user needs to see."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file where the system alone says what is wrong.

    Raises:
        CannotWrite: naming the path, the reason and the fix.
    """
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"{path}: cannot be written ({error.strerror or error}). Make room there, or see to "
            "its permissions"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which then takes its place in one step.

    Its bytes are on the disk before its name is: after a power cut, a name that came first would
    stand for an empty file where the last good one was.

    Raises:
        CannotWrite: naming the path, the reason and the fix; what was at `path` is still there.
    """
    aside = path.with_name(path.name + PART)  # whole: model.part may be the user's
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.unlink(missing_ok=True)  # of a run that was killed, or a link to somewhere else
            aside.touch(exist_ok=False)
            yield aside
            _to_disk(aside)
            os.replace(aside, path)
            _to_disk(path.parent)
    finally:
        with suppress(OSError):  # gone already, or as impossible as what went before
            aside.unlink()


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A folder to write several files to, which then take their places in `folder`, one step each:
    a report that is stopped leaves none of them, and an earlier one there as it was.

    Raises:
        CannotWrite: naming the folder, the reason and the fix.
    """
    aside, new = folder / PART, not folder.exists()
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _remove(aside)
            aside.mkdir()
            yield aside
            for file in sorted(aside.iterdir()):
                _to_disk(file)
                os.replace(file, folder / file.name)
            _to_disk(folder)
    finally:
        with suppress(OSError):
            _remove(aside)
        with suppress(OSError):  # it is filled
            if new:
                folder.rmdir()


def _remove(path: Path) -> None:
    """What was left by a process that was killed, or a link to somewhere else."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def plain_file(path: str, flags: int) -> int:
    """An `opener` of `open` that follows no link and waits for no pipe.

    A folder from elsewhere may have either in the place of a file of ours.
    """
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no plain file", path)
    return handle


def check_place(folder: Path, key: str) -> None:
    """Try whether a folder could be made and written to; leaves nothing behind.

    Raises:
        ConfigError: naming the key that gives the folder, and what the system says of it; or a
            link in there, or whatever else is neither a file nor a folder.
    """
    if odd := next(_odd(folder), None):
        raise ConfigError(
            f"{key}={printable(folder)}: {printable(odd)} is a link or no plain file, and what is "
            f"written there would go elsewhere. Remove it, or choose another place with {key}=..."
        )
    _check_written(folder, folder / DEEPEST, f"{key}={folder}", key)


def check_file(path: Path, key: str) -> None:
    """Try whether a file could be written by `replacing`; leaves nothing behind.

    Raises:
        ConfigError: naming the key that gives the file, and what the system says of its place.
    """
    aside = path.with_name(path.name + PART) if path.name else path
    _check_written(path.parent, aside, f"{key}={path}", key)


def _check_written(folder: Path, deepest: Path, shown: str, key: str) -> None:
    """Raises ConfigError where a folder cannot be made and written to, down to `deepest`."""
    there = folder
    try:
        deepest.exists()  # the whole of which may be too long, or a name on the way
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        for name in folder.parts:
            (there / name).exists()
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(4096))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if getattr(error, "errno", None) == errno.ENAMETOOLONG:
            raise ConfigError(
                f"{shown}: {reason}: a file system takes names of some 255 bytes and paths "
                f"of some 4000. Choose a shorter name=... or {key}=..."
            ) from None
        raise ConfigError(
            f"{shown}: cannot be written to ({there}: {reason}). Make room "
            f"there, see to its permissions, or choose another place with {key}=..."
        ) from None


def _odd(folder: Path) -> Iterator[Path]:
    """What is neither a file nor a folder, where a run or a sweep writes."""
    for top, below, names in os.walk(folder):
        for path in (Path(top, name) for name in (*below, *names)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or _of_wandb(path, folder)):
                yield path
        if Path(top) == folder:  # which may hold other things of the user's
            below[:] = [name for name in below if name in WRITTEN or name.isdecimal()]


def _of_wandb(path: Path, folder: Path) -> bool:
    """A link that W&B makes from one of its files to another; or in the logs of one of its runs,
    which it writes once, to those in the user's cache."""
    inside = path.relative_to(folder).parts[:-1]
    if "wandb" not in inside or not path.is_symlink():
        return False
    of_logs = fnmatch("/".join(inside[-3:]), "wandb/*run-*/logs")
    return of_logs or folder.resolve() in path.resolve().parents


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
