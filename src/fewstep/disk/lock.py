"""One process at a time in a directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from fewstep.disk.files import plain_file, writing
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


NAME = ".lock"
LONGEST = 200
"""Characters of it that are shown."""
PATIENCE = 0.25
"""Seconds for which a start waits for a lock: whoever asks `in_use` has it for a moment."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other process out of a directory; the kernel lets go of it if this one dies.

    Raises:
        ConfigError: another process is in there, or the lock is a link to somewhere else.
        CannotWrite: the lock cannot be made, as on a full disk.
    """
    with ExitStack() as stack:
        with writing(folder / NAME):
            if not stack.enter_context(_taken(folder, PATIENCE)):
                raise _refusal(folder)
            with open(
                folder / NAME, "w", encoding="utf-8", errors="replace", opener=plain_file
            ) as file:
                file.write(f"pid {os.getpid()} on {os.uname().nodename}")
        yield


def in_use(folder: Path) -> bool:
    """Whether a process is in there, this one included."""
    if not (folder / NAME).exists():
        return False
    with _taken(folder) as taken:
        return not taken


def check_free(folder: Path) -> None:
    """Refuse a directory that a process is in.

    Raises:
        ConfigError: naming the process.
        CannotWrite: the lock cannot be tried, as on a disk that is read-only.
    """
    with writing(folder / NAME):
        if in_use(folder):
            raise _refusal(folder)


@contextmanager
def _taken(folder: Path, seconds: float = 0.0) -> Iterator[bool]:
    """Whether the lock could be had within some seconds, which is kept until the end."""
    file = folder / NAME
    _check_plain(file)
    lock = FileLock(file, thread_local=False)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _check_plain(file: Path) -> None:
    """A folder from elsewhere may have a link or a pipe in the place of the lock."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(file.lstat().st_mode):
            raise ConfigError(
                f"{file}: is a link or no plain file, and fewstep would write to where it leads. "
                "Remove it"
            )


def _refusal(folder: Path) -> ConfigError:
    with open(folder / NAME, encoding="utf-8", errors="replace", opener=plain_file) as file:
        who = printable(file.read(LONGEST)) or "of an unknown number"
    return ConfigError(
        f"{folder}: another process is at work in it ({who}). Wait for it or stop it, or give "
        "what is to run beside it a name of its own, as name=..."
    )
