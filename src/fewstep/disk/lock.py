"""One process at a time in a directory."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fewstep.disk.files import plain_file
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


NAME = ".lock"
LONGEST = 200
"""Characters of it that are shown."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other process out of a directory; the kernel lets go of it if this one dies.

    Raises:
        ConfigError: another process is in there, or the lock is a link to somewhere else.
    """
    with _opened(folder, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(folder) from None
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield


def in_use(folder: Path) -> bool:
    """Whether a process is in there, this one included."""
    try:
        with _opened(folder, "r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False


def check_free(folder: Path) -> None:
    """Refuse a directory that a process is in.

    Raises:
        ConfigError: naming the process.
    """
    if in_use(folder):
        raise _refusal(folder)


def _opened(folder: Path, mode: str) -> TextIO:
    try:
        return open(folder / NAME, mode, opener=plain_file)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EINVAL, errno.EISDIR):
            raise ConfigError(
                f"{folder / NAME}: is a link or no plain file, and fewstep would write to where it "
                "leads. Remove it"
            ) from None
        raise


def _refusal(folder: Path) -> ConfigError:
    with _opened(folder, "r") as file:
        who = printable(file.read(LONGEST)) or "of an unknown number"
    return ConfigError(
        f"{folder}: another process is at work in it ({who}). Wait for it or stop it, or give "
        "what is to run beside it a name of its own, as name=..."
    )
