"""A run that is stopped before its end, and how its user goes on."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fewstep.printable import printable


def how_to_go_on(folder: Path) -> str:
    """What to do with the directory of a run that did not reach its end, as a sentence."""
    if (folder / "checkpoints" / "last.ckpt").exists():
        return f"Continue with: fewstep train resume={printable(folder)}"
    return f"There is no checkpoint in {printable(folder)} to continue from"


@contextmanager
def stoppable(folder: Path) -> Iterator[None]:
    """Ctrl-C and a scheduler's SIGTERM end what is inside in the same way, wherever it is.

    Raises:
        SystemExit: with a status that is never 0, after one line that says how to go on.
    """
    try:
        with _sigterm_as_ctrl_c():
            yield
    except (KeyboardInterrupt, SystemExit) as stop:  # Lightning turns the first into the second
        print(f"\nfewstep: stopped. {how_to_go_on(folder)}", file=sys.stderr)
        raise SystemExit(getattr(stop, "code", None) or 1) from None


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
