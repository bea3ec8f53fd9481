"""`fewstep status`: how far a sweep or a run is, from what it has left on the disk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewstep.commands.front import run
from fewstep.config.checks import Check
from fewstep.config.keys import Key, help_of
from fewstep.disk.homes import expanded
from fewstep.launch.stopping import how_to_go_on
from fewstep.messages.columns import padded
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records import states
from fewstep.records.run_folders import is_run, is_sweep, newest
from fewstep.records.states import State


ABOUT = """\
fewstep status FOLDER [--watch]   how far a sweep or a run is

A line for each job of a sweep, with what it was asked for: finished, running (how far, how fast,
how long it still takes), waiting, failed with its reason, stopped, damaged, where its results
cannot be read, or unknown, where its lock cannot. A run's folder has one line, and a name alone, as
outputs/runs/NAME, means its newest run. Only looks at what is on the disk.
"""

EXAMPLES = """\
  fewstep status outputs/sweeps/NAME
  fewstep status outputs/sweeps/NAME --watch    again and again, until all have ended
  fewstep status outputs/runs/NAME
"""

OPEN = (states.RUNNING, states.WAITING, states.UNKNOWN)
"""States of what may still be at work, so that nobody is to go on with it."""

KEYS = {
    "folder": Key("of a sweep or a run; the word alone will do", Check(str), needed=True),
    "watch": Key(
        "seconds until it is shown again; --watch is watch=5",
        Check(float, above=0, optional=True, example=5),
    ),
}


def help_text() -> str:
    """What `fewstep status --help` prints."""
    return help_of(KEYS, ABOUT, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Say how far it is; the exit status."""
    words = sys.argv[1:] if words is None else words
    return run("status", KEYS, _status, [_key_value(word) for word in words])


def _key_value(word: str) -> str:
    if word == "--watch":
        return "watch=5"
    key, equals, _ = word.partition("=")
    if word.startswith("-") or key in KEYS:
        return word
    return word if equals and not os.path.exists(os.path.expanduser(word)) else f"folder={word}"


def _status(values: dict[str, Any]) -> int:
    path, watch = expanded(values["folder"], "folder"), values["watch"]
    folder, found = _found(path)
    print(text(folder, found))
    while watch and any(state.state in OPEN for state in found):
        try:
            time.sleep(watch)
        except KeyboardInterrupt:
            return 0
        folder, found = _found(path)
        print(("\033[H\033[J" if sys.stdout.isatty() else "\n") + text(folder, found), flush=True)
    return 0


def _found(path: Path) -> tuple[Path, list[State]]:
    """The folder that a path means, and the states of a sweep's jobs or of the one run.

    Raises:
        ConfigError: a folder that is neither.
    """
    shown, folder = f"folder={printable(path)}", newest(path)
    if not folder.is_dir():
        raise ConfigError(f"{shown}: there is no such folder. Name one below outputs/sweeps")
    if is_run(folder):
        return folder, [states.of_run(folder)]
    if is_sweep(folder):
        return folder, states.of_sweep(folder)
    raise ConfigError(
        f"{shown}: is neither a sweep's folder nor a run's. For example fewstep status "
        "outputs/sweeps/NAME"
    )


HEAD = ("job", "state", "progress", "tasks/s", "left", "")


def text(folder: Path, found: Sequence[State]) -> str:
    """The table, how many there are of each state, and why some failed."""
    rows = [HEAD, *(_row(state) for state in found)]
    lines = padded(rows)
    counts = {name: sum(state.state == name for state in found) for name in states.STATES}
    counted = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    jobs = "" if is_run(folder) else f"{len(found)} job{'s' * (len(found) != 1)}: "
    lines.append(f"{folder}: {jobs}{counted or 'none has begun'}")
    lines += [line for state in found for line in _reason(state)]
    cut_off = (states.STOPPED, states.DAMAGED)
    stopped = [state.folder for state in found if state.state in cut_off]
    if stopped and is_run(folder):
        lines.append(how_to_go_on(stopped[0]))
    elif not any(counts[name] for name in OPEN) and (stopped or counts[states.FAILED]):
        lines.append("The command of the sweep again runs what is left.")
    if counts[states.UNKNOWN]:
        lines.append(
            "Whether what is unknown is at work can be told by whoever may read its .lock."
        )
    return "\n".join(map(printable, lines))


def _reason(state: State) -> list[str]:
    """Why a run has no results, where there is more to say of that than its state."""
    if state.state == states.FAILED:
        return [f"failed: {state.folder}: {state.reason}"]
    return [f"damaged: {state.reason}"] if state.state == states.DAMAGED else []


def _row(state: State) -> tuple[str, ...]:
    pace = state.pace
    progress = f"{pace.meta_iteration:,}" if pace.meta_iteration is not None else ""
    if pace.of and pace.meta_iteration is not None:
        progress += f"/{pace.of:,} ({pace.meta_iteration / pace.of:.0%})".replace("%", " %")
    if state.state == states.RUNNING and pace.of and pace.meta_iteration == pace.of:
        progress += ", testing"
    speed = "" if pace.tasks_per_second is None else f"{pace.tasks_per_second:.0f}"
    left = "" if pace.seconds_left is None else _time(pace.seconds_left)
    return state.folder.name, state.state, progress, speed, left, " ".join(state.words)


def _time(seconds: float) -> str:
    """`45 s`, `12 min` or `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
