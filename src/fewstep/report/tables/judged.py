"""What a search judged its jobs by, as a column of its table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fewstep.report.runs.searched import shown
from fewstep.report.tables.best import bold
from fewstep.report.tables.table import Row


def judged(table: Sequence[Row]) -> dict[str, list[str]]:
    """Head and cells, the best in bold; no column where no row was judged."""
    rows = [row for row in table if row.objective is not None]
    if not rows:
        return {}
    metric, unit = rows[0].metric, rows[0].unit
    sign = -1 if metric == "acc" else 1
    top = min((sign * v for row in rows if math.isfinite(v := _value(row))), default=math.nan)
    cells = [bold(_shown(row), sign * _value(row) == top) for row in table]
    return {f"objective: meta-validation {unit}": cells}


def _value(row: Row) -> float:
    return shown(row.objective, row.metric)


def _shown(row: Row) -> str:
    if row.objective is None:
        return ""
    value = _value(row)
    if not math.isfinite(value):
        return "diverged"
    return f"{value:.2f}" if row.metric == "acc" else f"{value:.4g}"
