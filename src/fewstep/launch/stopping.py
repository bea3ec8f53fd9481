"""A run that is stopped before its end, and how its user goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fewstep.messages.printable import printable
from fewstep.messages.words import typed
from fewstep.processes import signals
from fewstep.records.run_folders import command_of, goes_on


def how_to_go_on(folder: Path) -> str:
    """What to do with the directory of a run that did not reach its end, as a sentence."""
    command, where = command_of(folder), printable(folder)
    if goes_on(folder):
        return f"Continue with: fewstep {command} {printable(typed('resume', str(folder)))}"
    if command == "evaluate":
        return f"Nothing in {where} has been measured yet. The same command begins anew"
    return f"There is no checkpoint in {where} to continue from. The same command begins anew"


@contextmanager
def stoppable(folder: Path) -> Iterator[None]:
    """Ctrl-C and a scheduler's SIGTERM end what is inside in the same way, wherever it is.

    Raises:
        SystemExit: with a status that is never 0, after one line that says how to go on.
    """
    with signals.listening():
        try:
            yield
            signals.close()
        except BaseException as stop:  # Lightning makes a SystemExit of a KeyboardInterrupt
            if not (isinstance(stop, (KeyboardInterrupt, SystemExit)) or signals.became(stop)):
                raise
            signals.close()
            print(f"\nfewstep: stopped. {how_to_go_on(folder)}", file=sys.stderr)
            raise SystemExit(getattr(stop, "code", None) or 1) from None
