"""Final results as W&B shows them: labels that tell settings apart, and two tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.records import measures
from fewstep.records.results import read_per_task


Results = Sequence[Mapping[str, Any]]

SHOWN_TASKS = 1000
"""Rows of the table of tasks; the files under per_task/ have them all."""


def labels(results: Results) -> dict[str, Mapping[str, Any]]:
    """Results by `5w1s_inductive`, with what else tells two of them apart.

    Steps and batch are named where the settings differ in them, an initialization that was not
    trained always.
    """
    more = [n for n in ("steps", "batch_size") if len({r[n] for r in results}) > 1]
    named = {}
    for r in results:
        parts = [] if r["init"] == "trained" else [r["init"]]
        parts += [f"{r['ways']}w{r['shots']}s", r["protocol"]]
        parts += [f"{n.partition('_')[0]}{r[n] or 'all'}" for n in more]
        named["_".join(parts)] = r
    return named


def results_table(results: Results) -> Any:
    """A row for each initialization, setting and protocol: what results.json says of it."""
    import wandb

    name = measures.metric_of(results[0])
    columns = ["init", "checkpoint", "ways", "shots", "protocol", "steps", "batch_size", "tasks"]
    columns += [name, f"{name}_ci95", "shift"]
    rows = [{"shift": 0, **r} for r in results]
    return wandb.Table([*columns], data=[[row[column] for column in columns] for row in rows])


def tasks_table(results: Results, folder: Path) -> Any:
    """A row for each test task, a column for each result: they are paired, task by task."""
    import wandb

    name = measures.metric_of(results[0])
    named = labels(results)
    columns = [read_per_task(folder / r["per_task_file"])[name] for r in named.values()]
    rows: list[Any] = [[task, *values] for task, values in enumerate(zip(*columns, strict=True))]
    return wandb.Table(["task", *named], data=rows[:SHOWN_TASKS])
