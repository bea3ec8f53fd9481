"""What has become of a run, and how far it is, from its records alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fewstep.disk.lock import in_use
from fewstep.messages.errors import ConfigError
from fewstep.records.asked import words_of
from fewstep.records.job_record import read_record
from fewstep.records.outcome import damage, finished
from fewstep.records.pace import Pace, read_pace
from fewstep.records.run_folders import jobs


UNKNOWN = Pace()
FINISHED, RUNNING, WAITING, FAILED, STOPPED, DAMAGED = STATES = (
    "finished", "running", "waiting", "failed", "stopped", "damaged",
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """What has become of a run."""

    folder: Path
    state: str
    """One of `STATES`."""
    pace: Pace = UNKNOWN
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


def of_run(folder: Path, in_a_sweep: bool = False) -> State:
    """Of one run; `in_a_sweep` that is at work, which comes to it if it has not yet."""
    words = tuple(words_of(folder) or ())
    if finished(folder):
        return State(folder, FINISHED, words=words)
    pace, record = read_pace(folder), read_record(folder)
    if _at_work(folder):
        return State(folder, RUNNING, pace, words=words)
    pace = Pace(pace.meta_iteration, pace.of)
    if record.get("state") == FAILED:
        return State(folder, FAILED, pace, str(record.get("reason") or "no reason is known"), words)
    if (wrong := damage(folder)) and record.get("state") != STOPPED:
        return State(folder, DAMAGED, pace, wrong, words)
    stopped = record.get("state") == STOPPED or not in_a_sweep
    return State(folder, STOPPED if stopped else WAITING, pace, words=words)


def _at_work(folder: Path) -> bool:
    with suppress(OSError, ConfigError):  # of somebody else, or with a link in the lock's place
        return in_use(folder)
    return False
