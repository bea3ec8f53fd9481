"""The figures as InstaDeep's marl-eval reads them, for its own plots and tables.

`{environment: {task: {algorithm: {seed: {step: {step_count, metric: [...]}, absolute_metrics}}}}}`
with the dataset for an environment, and a setting and protocol for a task. It refuses names with
commas, and runs of one environment that were measured at different numbers of steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fewstep.records import measures, words
from fewstep.report.runs.gather import Run, logged
from fewstep.report.sections import Section
from fewstep.report.statistics.per_task import per_task
from fewstep.report.tables.namesakes import FACTS
from fewstep.report.tables.table import Entry, Row


METRICS = {"acc": "accuracy", "loss": "loss"}
CURVES = ("test", "val")
"""Splits that are measured during training, the better one first."""

Tasks = Mapping[str, str]
"""What the tasks of a row are called, each with its protocol."""

MORE: Sequence[Callable[[Row], str]] = (
    FACTS["checkpoint"],
    lambda row: f"{row['meta_iterations']} meta-iterations",
    lambda row: row["name"].replace(",", ";"),
    lambda row: f"recipe {row.recipe[:6]}",
)
"""What tells rows apart that are called the same; without commas, which marl-eval refuses."""


def exported(found: Sequence[Section]) -> str:
    """The trained rows of all sections, as JSON; an algorithm is told as its row is, and of a run
    that was repeated the first."""
    content: dict[str, Any] = {}
    table = [row for section in found for row in section.rows if row["init"] == "trained"]
    tasks_of = {id(row): _tasks(row, table) for row in table}
    names = _names(table, tasks_of)
    for row in table:
        for task, protocol in tasks_of[id(row)].items():
            algorithms = content.setdefault(row["dataset"], {}).setdefault(task, {})
            for entry in row.cells[protocol]:
                run = next(run for run in row.runs if run.folder == entry["folder"])
                seeds = algorithms.setdefault(names[id(row)], {})
                seeds.setdefault(f"seed_{entry['seed']}", _seed(run, entry))
    for tasks in content.values():
        _even([seed for rows in tasks.values() for row in rows.values() for seed in row.values()])
    return json.dumps(content, indent=1) + "\n"


def _names(table: Sequence[Row], tasks_of: Mapping[int, Tasks]) -> dict[int, str]:
    """What each row is called, by its `id`: where two of one task are called the same, all that are
    called so have more of what tells these apart, and a number if nothing does."""
    names = {id(row): _candidate(row) for row in table}
    for more in MORE:
        for name, clashes in _clashes(table, tasks_of, names).items():
            if any(len({more(row) for row in rows}) > 1 for rows in clashes):
                named = [row for row in table if names[id(row)] == name]
                names |= {id(row): f"{name}; {more(row)}" for row in named}
    while found := _clashes(table, tasks_of, names):
        for name, clashes in found.items():
            for rows in clashes:
                names |= {id(row): f"{name}; {place}" for place, row in enumerate(rows[1:], 2)}
    return names


def _clashes(
    table: Sequence[Row], tasks_of: Mapping[int, Tasks], names: Mapping[int, str]
) -> dict[str, list[list[Row]]]:
    """By name, the rows that are called so in one task, where they are several."""
    places: dict[tuple[str, ...], list[Row]] = {}
    for row in table:
        for task in tasks_of[id(row)]:
            places.setdefault((names[id(row)], row["dataset"], task), []).append(row)
    found: dict[str, list[list[Row]]] = {}
    for (name, *_), rows in places.items():
        if len(rows) > 1:
            found.setdefault(name, []).append(rows)
    return found


def _tasks(row: Row, table: Sequence[Row]) -> Tasks:
    """What its tasks are called, each with its protocol."""
    tested = _tested(row, table)
    return {f"{row.setting}{tested}, {protocol}": protocol for protocol in row.cells}


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
