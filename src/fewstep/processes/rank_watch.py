"""Waiting for the ranks of a run: what they are told, how long they have, and who was at fault."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence


GRACE = 10.0
"""Seconds that rank zero has to close what it has open when another rank has failed."""
ANSWER = 20.0
"""Seconds that rank zero has to answer a signal: then the others are taken from it, of which it may
be waiting for one that hangs."""
LAST = 40.0
"""Seconds after that in which it saves and ends, or is ended."""
LEFT = 75
"""Exit status of a rank to which another one has not answered: the cause is not its own."""


class RankFailed(Exception):
    """A rank that did not reach its end; its text is all that the user needs to see."""


def tell(processes: Sequence[subprocess.Popen], stops: list[float]) -> None:
    """Have rank zero save and stop. The others hear nothing: they would leave it waiting for their
    share, and one that somebody has stopped is waited for, unless it goes on."""
    stops.append(time.monotonic())
    for process in processes:
        process.send_signal(signal.SIGCONT)
    processes[0].send_signal(signal.SIGINT)


def cause(statuses: Sequence[int | None]) -> str:
    """What to say of ranks that did not all reach their end: whose fault it was."""
    for rank, status in enumerate(statuses):
        which = f"rank {rank} of {len(statuses)}"
        if status is not None and status < 0:
            named = {known.value: f" ({known.name})" for known in signal.Signals}
            return f"{which} was killed by signal {-status}{named.get(-status, '')}"
        if status and status != LEFT:
            return f"{which} ended with status {status}"
    return f"the {len(statuses)} ranks have lost each other: one hangs, or the network between them"


def wait(processes: Sequence[subprocess.Popen], stops: Sequence[float]) -> None:
    """Wait for all to end, for rank zero and not much longer where one fails, and not for ever
    where `stops` says when they were told to stop."""
    deadline = float("inf")
    while True:
        now, bad = time.monotonic(), [process.poll() for process in processes if process.poll()]
        if bad and deadline == float("inf"):
            deadline = now + GRACE
        if stops and now > stops[0] + ANSWER:
            for process in processes[1:]:
                process.kill()
            deadline = stops[0] + ANSWER + LAST
        ended = all(process.poll() is not None for process in processes)
        at_fault = processes[0].poll() not in (None, 0, LEFT)
        if ended or at_fault or now > deadline:
            return
        time.sleep(0.05)
