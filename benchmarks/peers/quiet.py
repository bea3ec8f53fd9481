"""When a sitting may be published: of a machine with nothing else to do, at a time of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from peers import report


BUSY = 0.3
"""A load average above which other processes disturb the clocks: nothing is published."""
OTHERS = 0.1
"""Cores that others may take of a sitting, on average."""
ROUNDS = 15
"""Of a sitting, at least."""
APART = timedelta(minutes=30)
"""Sittings are for different times: how fast two cores work together changes from hour to hour."""


def refuse_unless_quiet() -> None:
    """Before anything is timed that would be published.

    Raises:
        SystemExit: the machine is busy, or the last sitting was just now.
    """
    load = os.getloadavg()[0]
    if load > BUSY:
        raise SystemExit(f"load average {load:.2f}: a sitting wants at most {BUSY}; try --quick")
    last = max((sitting["date"] for sitting in report.sittings()), default=None)
    if last and (ago := datetime.now(UTC) - datetime.fromisoformat(last)) < APART:
        raise SystemExit(
            f"the last sitting began at {last}, {ago.total_seconds() / 60:.0f} minutes ago: three "
            f"at different times are quoted, {APART.total_seconds() / 60:.0f} minutes apart"
        )


def refuse_disturbed(machine: Mapping[str, Any]) -> None:
    """Once everything is timed: what the machine was like at the beginning, and who else was there.

    Raises:
        SystemExit: others were.
    """
    load, others = machine["before"]["load"], machine["others"]
    if not load <= BUSY or others > OTHERS:
        raise SystemExit(
            f"load average {load:.2f} before, others took {others:.2f} of a core meanwhile: a "
            f"sitting wants at most {BUSY} and {OTHERS}; no file was written"
        )
