"""What a command owes the shell that started it: an exit status, and quiet pipes and signals.

Whoever reads the output may leave, as in `| head -1`, or there may be nowhere to write to, as after
`2>&-`: that ends no training.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fewstep.messages.printable import printable
from fewstep.processes import signals


OF_PYTHON = ("warnings", "_py_warnings")
"""The modules between whoever warns and what shows it; of Python 3.14 on, the second."""


class Stream(io.FileIO):
    """A stream of the process that takes what it cannot hand on, and remembers why."""

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        """All of the bytes count as written, also those that nobody reads."""
        view = memoryview(data).cast("B")
        try:
            return super().write(view) or 0
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):  # the second of a terminal that is gone
                self._write_to_nobody()
            else:
                self.lost = error
            return len(view)

    def _write_to_nobody(self) -> None:
        """Also what is started from here on has nobody to write to."""
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, self.fileno())
        os.close(nobody)


def run(main: Callable[[list[str]], int]) -> int:
    """Run what the words of this process's command line ask for, to its end; the exit status."""
    out = _open_streams()
    with signals.listening(), notes():
        try:
            return _ended(out, main(sys.argv[1:]))
        except (KeyboardInterrupt, Exception) as error:
            if not (isinstance(error, KeyboardInterrupt) or signals.became(error)):
                raise
            print("fewstep: stopped", file=sys.stderr)
            return 1
        finally:
            signals.ignore()


@contextmanager
def notes() -> Iterator[None]:
    """Tell our own warnings as whatever else is said here, each once: whoever has typed a command
    can do nothing with a line of our source. Those of other packages stay as they are."""
    before, told = warnings.showwarning, set()

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        text = printable(message)
        if not (issubclass(category, UserWarning) and _are_ours()):
            before(message, category, *where)
        elif text not in told:
            told.add(text)
            print(f"note: {text}", file=sys.stderr)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _are_ours() -> bool:
    """Whether a module of ours warns, wherever it has the warning point to: a caller's line, or one
    that a dataclass has made, which is in no file."""
    frame = sys._getframe(2)  # beyond this function and the one that shows
    while frame.f_back and frame.f_globals.get("__name__") in OF_PYTHON:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "fewstep"


def _open_streams() -> Stream:
    """Give the process its three streams, the null device where one is closed: else the next file
    to be opened would take its number, and its text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    streams = []
    for number, name in ((1, "stdout"), (2, "stderr")):
        before = getattr(sys, name)
        if before:
            before.flush()
        stream = Stream(number, "w", closefd=False)
        text = io.TextIOWrapper(
            io.BufferedWriter(stream),
            encoding=getattr(before, "encoding", "utf-8"),
            errors=_spelling(getattr(before, "errors", None)),
            line_buffering=name == "stderr" or stream.isatty(),
            write_through=False,
        )
        setattr(sys, name, text)
        streams.append(stream)
    return streams[0]


def _spelling(errors: str | None) -> str:
    """What becomes of a character that the terminal's encoding lacks, as `±` in ASCII: it is
    spelled, unless the user has chosen something else that ends no command."""
    return "backslashreplace" if errors in (None, "strict", "surrogateescape") else errors


def _ended(out: Stream, status: int) -> int:
    """The exit status once all is written: what was to be read and is lost is no success."""
    sys.stdout.flush()
    if out.lost:
        print(f"fewstep: the output is lost ({out.lost.strerror})", file=sys.stderr)
        return status or 1
    return status
