"""What has become of a run, and how far it is, from its records alone."""

from __future__ import annotations

import errno
import fcntl
from dataclasses import dataclass, replace
from pathlib import Path

from fewstep.disk.files import plain_file
from fewstep.disk.lock import NAME as LOCK
from fewstep.records.asked import words_of
from fewstep.records.job_record import read_record
from fewstep.records.outcome import damage, finished
from fewstep.records.pace import Pace, read_pace
from fewstep.records.run_folders import jobs


NOWHERE = Pace()
FINISHED, RUNNING, WAITING, FAILED, STOPPED, DAMAGED, UNKNOWN = STATES = (
    "finished", "running", "waiting", "failed", "stopped", "damaged", "unknown",
)  # fmt: skip
NO_LINK = (errno.ELOOP, errno.EINVAL, errno.ENXIO)
"""What is said of a link, a pipe or a socket in a lock's place, which no process of ours holds."""


@dataclass(frozen=True)
class State:
    """What has become of a run."""

    folder: Path
    state: str
    """One of `STATES`."""
    pace: Pace = NOWHERE
    reason: str = ""
    """Why it failed, or what is damaged."""
    words: tuple[str, ...] = ()
    """What it was asked for."""


def of_sweep(sweep: Path) -> list[State]:
    """Of a sweep's jobs, by their numbers; each with the words that the others do not have."""
    at_work = _at_work(sweep)
    found = [of_run(folder, at_work) for folder in jobs(sweep)]
    known = [set(state.words) for state in found if state.words]
    shared = set.intersection(*known) if len(known) > 1 else set()
    return [replace(s, words=tuple(w for w in s.words if w not in shared)) for s in found]


def of_run(folder: Path, in_a_sweep: bool | None = False) -> State:
    """Of one run; `in_a_sweep` that is at work, which comes to it if it has not yet. None where it
    cannot be told whether that is at work."""
    words = tuple(words_of(folder) or ())
    if finished(folder):
        return State(folder, FINISHED, words=words)
    pace, record, at_work = read_pace(folder), read_record(folder), _at_work(folder)
    if at_work:
        return State(folder, RUNNING, pace, words=words)
    pace = Pace(pace.meta_iteration, pace.of)
    if record.get("state") == FAILED:
        return State(folder, FAILED, pace, str(record.get("reason") or "no reason is known"), words)
    if record.get("state") == STOPPED:
        return State(folder, STOPPED, pace, words=words)
    if at_work is None:
        return State(folder, UNKNOWN, pace, words=words)
    if wrong := damage(folder):
        return State(folder, DAMAGED, pace, wrong, words)
    rest = {True: WAITING, False: STOPPED, None: UNKNOWN}
    return State(folder, rest[in_a_sweep], pace, words=words)


def _at_work(folder: Path) -> bool | None:
    """Whether a process is in a folder; None where nobody may tell, as in somebody else's.

    It asks for a share in the lock, for which it is enough to be let read it.
    """
    try:
        with open(folder / LOCK, "rb", opener=plain_file) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        return False if isinstance(error, FileNotFoundError) or error.errno in NO_LINK else None
    return False
