"""Whether a sweep was a search, and what its jobs were judged by."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_text, yaml_of
from fewstep.records import measures
from fewstep.records.asked import words_of
from fewstep.records.job_record import read_record
from fewstep.report.runs.gather import Run


RESULTS = "optimization_results.yaml"
"""What Optuna's sweeper leaves at its end."""

SWEEPER = re.compile(r"^( *)sweeper:\n(?:\1  .*\n)*?\1  _target_: (?P<target>\S+)", re.M)
"""Whose job one is, in its .hydra/hydra.yaml; a grid is a BasicSweeper's."""


def objective(run: Run) -> float | None:
    """The figure of meta-validation by which a search judged this job of its; None of any other."""
    if run.sweep is None or not proposed(run.folder):
        return None
    found = read_record(run.folder).get("objective")
    return found if isinstance(found, (int, float)) else None


def shown(value: float | None, metric: str) -> float:
    """An objective as it is shown; not a number of a trial that diverged, of which a search is told
    the worst that there is."""
    if value is None or (metric == "acc" and not value):
        return math.nan
    return measures.scale(metric) * float(value)


def proposed(job: Path) -> bool:
    """Whether a sweeper that searches has proposed a job."""
    if (job.parent / RESULTS).exists():
        return True
    try:
        found = SWEEPER.search(plain_text(job / ".hydra" / "hydra.yaml"))
    except (OSError, ValueError):
        return False
    return bool(found) and not found["target"].endswith("BasicSweeper")


def tried(job: Path) -> dict[str, Any]:
    """What a job was told, by key; nothing where that cannot be read."""
    pairs = (word.lstrip("+~").partition("=") for word in words_of(job) or ())
    return {key: _value(text) for key, _, text in pairs}


def searched(jobs: Sequence[Run]) -> list[str]:
    """The keys of which a search has tried several values; none of any other sweep."""
    if not any(job.sweep and proposed(job.folder) for job in jobs):
        return []
    every = [tried(job.folder) for job in jobs]
    keys = dict.fromkeys(key for told in every for key in told if key != "seed")
    return [key for key in keys if len({repr(told.get(key)) for told in every}) > 1]


def _value(text: str) -> Any:
    try:
        return yaml_of(text)
    except ValueError:
        return text
