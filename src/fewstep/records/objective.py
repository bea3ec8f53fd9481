"""What a search goes by: the meta-validation of a training, never its meta-test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_json
from fewstep.records import measures
from fewstep.records.metrics import read_metrics
from fewstep.records.outcome import RESULTS


def objective(report: Mapping[str, Any], folder: Path) -> float | None:
    """The meta-validation accuracy (for regression the loss) of what a run reports.

    Of the best validation where that one is tested, else of the last; one that is not finite is
    the worst there is. None where there is none, or where another rank has the results.
    """
    if not report["results"]:
        return None
    first = report["results"][0]
    figure = measures.metric_of(first)
    if "selected_by" in first:
        return first["selected_by"][figure]
    file = folder / "metrics.csv"
    _, rows = read_metrics(file) if file.exists() else ((), ())
    last = next((row for row in reversed(rows) if f"val/{figure}" in row), None)
    if last is None:
        return None
    diverged = not all(math.isfinite(last.get(f"val/{n}", 0.0)) for n in ("acc", "loss"))
    return (0.0 if figure == "acc" else math.inf) if diverged else last[f"val/{figure}"]


def objective_in(folder: Path) -> float | None:
    """The same of a run that has finished, by what it has left; None where that cannot be read, as
    results of a later version. A record of a job has no number for a run that diverged."""
    try:
        return objective(plain_json(folder / RESULTS), folder)
    except (OSError, ValueError, LookupError, TypeError):
        return None
