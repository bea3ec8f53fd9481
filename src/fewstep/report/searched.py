"""Whether a sweep was a search, and what its jobs were judged by."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from fewstep.records.job_record import read_record
from fewstep.report.gather import Run


def objective(run: Run) -> float | None:
    """The figure of meta-validation by which a search judged this job of its; None of any other."""
    if run.sweep is None or not _searches(run.sweep / "multirun.yaml"):
        return None
    found = read_record(run.folder).get("objective")
    return found if isinstance(found, (int, float)) else None


@lru_cache(maxsize=64)
def _searches(file: Path) -> bool:
    """Whether the sweeper goes by a figure: it has a direction then."""
    try:
        config = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return bool(config["hydra"]["sweeper"].get("direction"))
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError):
        return False
