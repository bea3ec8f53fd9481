"""The figures as InstaDeep's marl-eval reads them, for its own plots and tables.

`{environment: {task: {algorithm: {seed: {step: {step_count, metric: [...]}, absolute_metrics}}}}}`
with the dataset for an environment, and a setting and protocol for a task. It refuses names with
commas, and runs of one environment that were measured at different numbers of steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fewstep.records import measures, words
from fewstep.report.runs.gather import Run, logged
from fewstep.report.sections import Section
from fewstep.report.statistics.per_task import per_task
from fewstep.report.tables.table import Entry, Row


METRICS = {"acc": "accuracy", "loss": "loss"}
CURVES = ("test", "val")
"""Splits that are measured during training, the better one first."""


def exported(found: Sequence[Section]) -> str:
    """The trained rows of all sections, as JSON; an algorithm is told as its row is."""
    content: dict[str, Any] = {}
    table = [row for section in found for row in section.rows if row["init"] == "trained"]
    for row in table:
        tested = _tested(row, table)
        for protocol, entries in row.cells.items():
            tasks = content.setdefault(row["dataset"], {})
            algorithms = tasks.setdefault(f"{row.setting}{tested}, {protocol}", {})
            for entry in entries:
                run = next(run for run in row.runs if run.folder == entry["folder"])
                seeds = algorithms.setdefault(_candidate(row), {})
                seeds.setdefault(f"seed_{entry['seed']}", _seed(run, entry))
    for tasks in content.values():
        _even([seed for rows in tasks.values() for row in rows.values() for seed in row.values()])
    return json.dumps(content, indent=1) + "\n"


def _even(seeds: Sequence[dict[str, Any]]) -> None:
    """Leave each run as many measurements as the run with the fewest has, evenly, its last among
    them."""
    fewest = min(len(seed) for seed in seeds) - 1
    for seed in seeds:
        final, points = seed.pop("absolute_metrics"), list(seed.values())
        kept = [points[(place + 1) * len(points) // fewest - 1] for place in range(fewest)]
        seed.clear()
        seed |= {f"step_{place}": point for place, point in enumerate(kept)}
        seed["absolute_metrics"] = final


def _tested(row: Row, table: Sequence[Row]) -> str:
    """How it was tested, where a row that is called the same was tested otherwise."""
    alike = [r for r in table if (_candidate(r), r.setting) == (_candidate(row), row.setting)]
    names = {"steps": "{} test steps", "shift": "shift {}", "tasks": "{} test tasks"}
    more = [name for name in names if len({other[name] for other in alike}) > 1]
    told = "".join(f", {names[name].format(row[name])}" for name in more)
    return words.of_split(told, row["split"])


def _candidate(row: Row) -> str:
    """The row without what its task says already."""
    own = {n: v for n, v in row.columns.items() if not n.startswith("shots") and v is not None}
    return "; ".join(f"{v}".replace(",", ";") for v in own.values()) or row["algorithm"]


def _seed(run: Run, entry: Entry) -> dict[str, Any]:
    name = measures.metric_of(entry)
    figures = per_task(entry, name)
    final = [entry[name]] if figures is None else [float(f"{value:.7g}") for value in figures]
    steps = next((found for split in CURVES if (found := logged(run, f"{split}/{name}"))), [])
    points = [(x, [value]) for x, value, _ in steps] or [(entry["meta_iterations"], final)]
    by_step = {
        f"step_{place}": {"step_count": x, METRICS[name]: values}
        for place, (x, values) in enumerate(points)
    }
    return {**by_step, "absolute_metrics": {METRICS[name]: final}}
