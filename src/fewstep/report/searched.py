"""Whether a sweep was a search, and what its jobs were judged by."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import yaml

from fewstep.records.job_record import read_record
from fewstep.report.gather import Run


SWEEPER = re.compile(r"^sweeper:\n(?:  .*\n)*?  _target_: (?P<target>\S+)", re.M)
"""In .hydra/hydra.yaml of a job, which is there before the search has ended; that of Optuna leaves
no multirun.yaml."""


def objective(run: Run) -> float | None:
    """The figure of meta-validation by which a search judged this job of its; None of any other."""
    if run.sweep is None or not searched(run.folder):
        return None
    found = read_record(run.folder).get("objective")
    return found if isinstance(found, (int, float)) else None


def searched(job: Path) -> bool:
    """Whether a sweeper that searches has proposed a job, and not a grid."""
    return _searches(job.parent) or _proposed(job / ".hydra" / "hydra.yaml")


def _proposed(file: Path) -> bool:
    try:
        found = SWEEPER.search(file.read_text())
    except (OSError, ValueError):
        return False
    return bool(found) and not found["target"].endswith("BasicSweeper")


@lru_cache(maxsize=64)
def _searches(sweep: Path) -> bool:
    """Whether the sweeper goes by a figure: it has a direction then, or has left its results."""
    if (sweep / "optimization_results.yaml").exists():
        return True
    try:
        text = (sweep / "multirun.yaml").read_text()
        config = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return bool(config["hydra"]["sweeper"].get("direction"))
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError):
        return False
