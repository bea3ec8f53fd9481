"""The figures of each test task behind a result: from its run directory, or as they are kept."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.outcome import overtaken
from fewstep.records.packed import packed_beside, unpack
from fewstep.records.results import read_per_task
from fewstep.report.tables.table import Entry


CLOSE = 1e-4
"""How near the mean over tasks is to what the results say, of which the figures are kept with seven
digits; those of another test are further away."""

DAMAGED = (EOFError, LookupError, TypeError, ValueError, csv.Error, zlib.error)
"""What reading a file of figures comes to where it is none."""


def by_seed_and_task(entries: Sequence[Entry], metric: str) -> dict[Any, np.ndarray]:
    """The figures of each task by seed, repeated runs averaged; nothing where a file is missing."""
    found: dict[Any, list[np.ndarray]] = {}
    for entry in entries:
        figures = per_task(entry, metric)
        if figures is None:
            return {}
        found.setdefault(entry["seed"], []).append(figures)
    if len({len(figures) for repeats in found.values() for figures in repeats}) > 1:
        return {}
    return {seed: np.mean(repeats, axis=0) for seed, repeats in found.items()}


def per_task(entry: Entry, metric: str) -> np.ndarray | None:
    """A figure of each task [tasks]; None where no file has it, or those of the next test are about
    to take their place.

    Raises:
        ConfigError: a file that has not one such figure for each task, or is of another test.
    """
    own = entry["folder"] / (entry.get("per_task_file") or "")
    kept = packed_beside(entry["file"]) if entry.get("file") else None
    file = next((f for f in (own, kept) if f and f.is_file()), None)
    if file is None or (file == own and overtaken(entry["folder"])):
        return None
    try:
        changed = file.stat().st_mtime_ns
        figures = _own(file, changed) if file == own else _kept(file, changed)[entry["place"]]
        return _checked(np.asarray(figures[metric]), entry, metric)
    except (OSError, *DAMAGED) as error:
        raise ConfigError(
            f"{file}: has no {metric} for each task ({printable(error)}). Remove it, or leave "
            "this run out"
        ) from None


def _checked(figures: np.ndarray, entry: Entry, metric: str) -> np.ndarray:
    """The figures of a test, held against what its results say of it.

    Raises:
        ValueError: there are more or fewer than tasks, or their mean is another one: the file is
            cut, or of another test, and every difference would be made of it.
    """
    if len(figures) != entry["tasks"]:
        raise ValueError(f"{len(figures)} of {entry['tasks']} tasks are there")
    known, mean = entry[metric], float(np.mean(figures))
    if known is not None and not abs(mean - known) <= CLOSE * max(1.0, abs(known)):
        raise ValueError(f"their mean is {mean:.6g}, and the results say {known:.6g}")
    return figures


@lru_cache(maxsize=256)
def _own(file: Path, changed: int) -> dict[str, list[float]]:
    return read_per_task(file)


@lru_cache(maxsize=64)
def _kept(file: Path, changed: int) -> dict[int, dict[str, list[float]]]:
    return unpack(file)
