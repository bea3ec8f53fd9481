"""The command that makes a single run again, also of a job that a sweep has made."""

from __future__ import annotations

import shlex

from fewstep.records.asked import kept_words, read_words, words_of
from fewstep.report.runs.gather import Run


def single(run: Run) -> str:
    """`fewstep train algorithm=maml seed=1` of that job alone; what the user typed where the run is
    no job of a sweep, or has not kept its overrides.

    A job of a named sweep keeps `sweep=NAME` beside one value for each key that was swept: a sweep
    of that job alone.
    """
    typed = str(run.content.get("command") or "")
    words = words_of(run.folder) if run.sweep else None
    if run.file and not run.sweep:
        words = read_words(kept_words(run.file))
    return typed if words is None else shlex.join(["fewstep", _name(typed), *words])


def _name(typed: str) -> str:
    """`train` or `evaluate`."""
    words = typed.split(maxsplit=2)
    return "evaluate" if words[1:2] == ["evaluate"] else "train"
