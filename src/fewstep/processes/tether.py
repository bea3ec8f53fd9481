"""A process that ends, having saved, when those that it works for are gone, however they went.

What started it holds a pipe to it open. What runs its sweep holds the lock of the sweep's folder,
which is also the permission to work: let go of, it stops every job of the sweep on this machine,
whatever launcher started it. The kernel does both for a process that dies.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fewstep.disk.lock import NAME, in_use
from fewstep.processes import signals


PATIENCE = 120.0
"""Seconds in which a process saves and ends that nobody waits for."""


def hold_to_parent(patience: float = PATIENCE) -> None:
    """Stop when the process that started this one, with a pipe as its input, is gone."""
    _in_thread(lambda: os.read(sys.stdin.fileno(), 1), patience)


def hold_to_sweep(sweep: Path) -> None:
    """Stop when the process that runs a sweep on this machine is gone, or wants its jobs to end."""
    if _here(sweep):
        _in_thread(lambda: _until_free(sweep), PATIENCE)


def cut(sweep: Path) -> bool:
    """Whether a sweep's process on this machine is gone, or wants its jobs to end."""
    return _here(sweep) and not in_use(sweep)


def leave_with(sweep: Path) -> None:
    """End a launcher's own process at once if the one that runs the sweep is dead."""
    if not cut(sweep):
        return
    try:
        os.kill(int((sweep / NAME).read_text(encoding="utf-8").split()[1]), 0)
    except ProcessLookupError:
        os._exit(1)
    except (OSError, ValueError, IndexError):
        return  # it lives, or cannot be told


def _in_thread(wait: Callable[[], object], patience: float) -> None:
    def watch() -> None:
        with suppress(OSError, ValueError, AttributeError):  # no such pipe, a system without locks
            wait()
            signals.tell()
            time.sleep(patience)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _here(sweep: Path) -> bool:
    """Whether a sweep's process is, or was, on this machine, and its jobs are not a cluster's."""
    if os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        return False
    try:
        return (sweep / NAME).read_text(encoding="utf-8").endswith(f" on {os.uname().nodename}")
    except (OSError, ValueError):
        return False


def _until_free(sweep: Path) -> None:
    with (sweep / NAME).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
