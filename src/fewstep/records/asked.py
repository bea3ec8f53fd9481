"""What a run was asked for: its overrides, without those that follow from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fewstep.disk.plain import plain_yaml
from fewstep.messages.words import overridden
from fewstep.records.identity import config_of
from fewstep.records.run_folders import OVERRIDES


FILES = (OVERRIDES, f".hydra/{OVERRIDES}")
"""Where a run directory has them; the second of older runs."""

KEY, LENGTH = "budget", "max_meta_iterations"
"""The second follows from the first where there is one."""

PLACED = ("resume", "init_sha256", "checkpoint_sha256", "manifest_sha256")
"""What a job is given to go on where it was cut off, and by which it knows what it starts from, and
what is tested on what."""


def words_of(folder: Path) -> list[str] | None:
    """The words of a run directory that make this run alone; None where no file has them.

    A job of a sweep is given further ones: where it belongs, and what follows from its own, as the
    length that its budget is. Beside the budget that length would be refused.
    """
    words = _stored(folder)
    if words is None:
        return None
    own = [
        w for w in words if overridden(w) not in PLACED and not overridden(w).startswith("hydra.")
    ]
    follows = LENGTH in map(overridden, own) and _has_budget(own, folder)
    return [word for word in own if not (follows and overridden(word) == LENGTH)]


def kept_words(results: Path) -> Path:
    """Where the words of a job stand beside its results, which are kept without its folder."""
    return results.with_suffix(f".{OVERRIDES}")


def read_words(file: Path) -> list[str] | None:
    """The words in a file; None where it has none."""
    try:
        words = plain_yaml(file)
    except (OSError, ValueError):
        return None
    all_texts = isinstance(words, list) and all(isinstance(word, str) for word in words)
    return words if all_texts else None


def _has_budget(words: Sequence[str], folder: Path) -> bool:
    """Whether a budget says how long a run is; that of a file stands in its configuration alone."""
    given = [word.partition("=")[2] for word in words if overridden(word).split(".")[0] == KEY]
    if given:
        return any(value != "null" for value in given)
    budget = config_of(folder).get(KEY)
    return isinstance(budget, Mapping) and any(amount is not None for amount in budget.values())


def _stored(folder: Path) -> list[str] | None:
    return next((words for name in FILES if (words := read_words(folder / name)) is not None), None)
