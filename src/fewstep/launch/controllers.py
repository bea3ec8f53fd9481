"""The processes by which Submitit watches jobs on this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deaf_controllers() -> Iterator[None]:
    """Inside, those that are started do not hear Ctrl-C, at which they would end with a traceback
    before the jobs have saved."""
    try:
        from submitit.local import local
    except ImportError:
        yield
        return
    original = local.start_controller

    def start(*args: Any, **more: Any) -> Any:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return original(*args, **more)
        finally:
            signal.signal(signal.SIGINT, before)

    local.start_controller = start
    try:
        yield
    finally:
        local.start_controller = original
