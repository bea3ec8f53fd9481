"""Ctrl-C, a scheduler's SIGTERM, a terminal that goes: the first stops in order, later ones wait.

A stop is a request: it interrupts what may be interrupted, is held back while something is half
done, and may be handed on to other processes instead. It is never forgotten: whoever swallows the
interruption meets it again at the next `proceed`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
"""Seconds after the first signal in which later ones cannot end a process before it has saved."""
STUBBORN = 3
"""Signals that it takes to end a process at once, the last of them after `PATIENCE`."""


class Stop:
    """What this process has been told, and what it makes of it."""

    def __init__(self) -> None:
        self.came: list[float] = []
        """When each signal came."""
        self.held = 0
        """How many have asked for no interruption now."""
        self.instead: Callable[[], None] | None = None
        """What the first signal does, where it is not to interrupt."""
        self.over = False
        """There is nothing left to interrupt."""

    def receive(self, number: int, _: Any = None) -> None:
        """A signal, in the main thread."""
        self.came.append(time.monotonic())
        if self.over:
            return
        if len(self.came) > 1:
            self._again(signal.Signals(number).name)
        elif self.instead:
            self.instead()
        elif not self.held:
            raise KeyboardInterrupt

    def _again(self, name: str) -> None:
        if len(self.came) >= STUBBORN and self.came[-1] - self.came[0] > PATIENCE:
            _say(f"fewstep: {name}: ended at once")
            os._exit(1)
        if len(self.came) == 2:
            _say(
                f"fewstep: {name}: already stopping. Another one, {PATIENCE:.0f} s after the "
                "first, ends this at once"
            )


_stop: Stop | None = None
_handlers: set[int] = set()


@contextmanager
def listening(to_all: bool = False) -> Iterator[None]:
    """Inside, this process hears of signals in the way of this module.

    What was told to be ignored, as by `nohup` or where a script starts something in the background,
    stays so unless the process is to listen `to_all`: one of our own, which is told to stop by
    those that started it alone. Nested, nothing else changes.
    """
    global _stop
    if _stop or threading.current_thread() is not threading.main_thread():
        if _stop and to_all:
            _handlers.update(STOP)
            listen()
        yield
        return
    _stop = Stop()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in STOP}
    try:
        _handlers.update({n for n in STOP if to_all or before[n] is not signal.SIG_IGN})
        listen()
        yield
    finally:
        _stop = None
        for number in _handlers:
            signal.signal(number, before[number] or signal.SIG_DFL)
        _handlers.clear()


def listen() -> None:
    """Hear of signals again, where something else has taken its place since."""
    if _stop and threading.current_thread() is threading.main_thread():
        for number in _handlers:
            signal.signal(number, _stop.receive)


def close() -> None:
    """From here on, signals change nothing: there is nothing left to stop."""
    if _stop:
        _stop.over = True


def ignore() -> None:
    """Be deaf to signals for good: stopping is another's business, or the end is near."""
    _handlers.clear()
    for number in STOP if threading.current_thread() is threading.main_thread() else ():
        signal.signal(number, signal.SIG_IGN)


def heard() -> bool:
    """Whether this process listens in the way of this module."""
    return _stop is not None


def asked() -> bool:
    """Whether this process has been told to stop."""
    return bool(_stop and _stop.came and not _stop.over)


def proceed() -> None:
    """Go on, if nobody has asked for a stop, or for no interruption now.

    Raises:
        KeyboardInterrupt: somebody has.
    """
    if asked() and not (_stop and _stop.held):
        raise KeyboardInterrupt


def became(error: BaseException | None) -> bool:
    """Whether a stop has become this error: what tidies up where it was interrupted may fail over
    what is half done there, and its own error is raised in the place of the interruption."""
    seen: set[int] = set()
    while error and id(error) not in seen and asked():
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


def hold(on: bool = True) -> None:
    """Put off every interruption to the next `proceed` after `hold(False)`."""
    if _stop:
        _stop.held = int(on)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside what is held back: a part that may be interrupted anyway."""
    before = bool(_stop and _stop.held)
    hold(False)
    try:
        proceed()
        yield
    finally:
        hold(before)


@contextmanager
def instead(act: Callable[[], None]) -> Iterator[None]:
    """The first signal does this and interrupts nothing: others are to be told, and waited for."""
    if not _stop:
        yield
        return
    before, _stop.instead = _stop.instead, act
    try:
        if asked():
            act()
        yield
    finally:
        if _stop:
            _stop.instead = before


def tell() -> None:
    """Stop this process from one of its threads, as Ctrl-C would."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


def _say(line: str) -> None:
    """Past Python's own streams, which the interrupted code may be in the middle of."""
    with suppress(OSError):
        os.write(2, f"\n{line}\n".encode())
