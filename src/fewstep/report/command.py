"""The command that makes a single run again, also of a job that a sweep has made."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import yaml

from fewstep.report.gather import Run


OVERRIDES = ("overrides.yaml", ".hydra/overrides.yaml")
"""Where a run directory has them; the second of older runs."""

ELSEWHERE = ("resume=", "hydra.")
"""What a job was given to go on where it was cut off, and to be put where it belongs."""


def single(run: Run) -> str:
    """`fewstep train algorithm=maml seed=1` of that job alone; what the user typed where the run is
    no job of a sweep, or has not kept its overrides.

    A job of a named sweep keeps `sweep=NAME` beside one value for each key that was swept: a sweep
    of that job alone.
    """
    typed = str(run.content.get("command") or "")
    words = _overrides(run) if run.sweep else None
    if words is None:
        return typed
    own = [word for word in words if not word.lstrip("+~").startswith(ELSEWHERE)]
    return shlex.join(["fewstep", _name(typed), *own])


def _name(typed: str) -> str:
    """`train` or `evaluate`."""
    words = typed.split(maxsplit=2)
    return "evaluate" if words[1:2] == ["evaluate"] else "train"


def _overrides(run: Run) -> Sequence[str] | None:
    for name in OVERRIDES:
        try:
            words = yaml.safe_load((run.folder / name).read_text())
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return None
