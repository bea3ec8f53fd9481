"""Telling a user what to change, without a traceback."""

from __future__ import annotations

import sys

from fewstep.messages.printable import printable


def complain(error: Exception | str, status: int = 2) -> int:
    """Tell the user what to change; the exit status. A list has a line for each of its entries,
    which are set in."""
    text = "\n  ".join(map(printable, str(error).split("\n  ")))
    print(f"fewstep: {text}", file=sys.stderr)
    return status
