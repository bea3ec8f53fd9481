"""One process at a time in a directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fewstep.checks import ConfigError


NAME = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other process out of a directory; the kernel lets go of it if this one dies.

    Raises:
        ConfigError: another process is in there.
    """
    with (folder / NAME).open("a+") as file:
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
        with (folder / NAME).open() as file:
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


def _refusal(folder: Path) -> ConfigError:
    who = (folder / NAME).read_text() or "of an unknown number"
    return ConfigError(
        f"{folder}: another process is at work in it ({who}). Wait for it or stop it, or give "
        "what is to run beside it a name of its own, as name=..."
    )
