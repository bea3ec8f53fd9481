"""results.json and per-task figures: reading, writing and the table at the end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.disk.files import replacing
from fewstep.disk.plain import plain_text
from fewstep.messages.columns import aligned
from fewstep.records import headings, measures, sizes, words
from fewstep.records.statistics.intervals import finite, show


def read_per_task(file: Path) -> dict[str, list[float]]:
    """The figures of each task, in the order of the tasks.

    Raises:
        OSError, LookupError, TypeError, ValueError: it is damaged.
    """
    rows = list(csv.DictReader(io.StringIO(plain_text(file))))
    if [int(row["task"]) for row in rows] != [*range(len(rows))]:
        raise ValueError("its tasks are out of their order")
    return {name: [float(row[name]) for row in rows] for name in rows[0] if name != "task"}


def write_json(path: Path, content: Any) -> None:
    """Null for what is not finite, for which JSON has no word."""
    text = json.dumps(finite_only(content), indent=1, allow_nan=False, default=str)
    with replacing(path) as aside:
        aside.write_text(text + "\n", encoding="utf-8")


def finite_only(content: Any) -> Any:
    """The same with None for what is not finite."""
    if isinstance(content, Mapping):
        return {name: finite_only(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite_only(value) for value in content]
    return None if isinstance(content, float) and not finite(content) else content


def table(results: Sequence[Mapping[str, Any]], unit: str = "loss") -> str:
    """One row an initialization and setting, the protocols side by side, as monospaced text; a loss
    below its unit."""
    protocols = sorted({r["protocol"] for r in results})
    # The others are the same in most tables, and then they are left out.
    more = [n for n in ("batch_size", "queries") if len({r[n] for r in results}) > 1]
    rows: dict[tuple, dict[str, str]] = {}
    for r in results:
        metric = measures.metric_of(r)
        setting = words.setting(r["ways"], r["shots"], metric, varies=sizes.varies(r))
        others = ["all" if r[n] is None else str(r[n]) for n in more]
        row = (r["init"], r["checkpoint"] or "-", setting, str(r["steps"]), *others)
        row = (*row, str(r["tasks"]))
        cells, figure = rows.setdefault(row, {}), show(r)
        if metric == "acc" or figure not in cells.values():  # which a regression has once
            cells[r["protocol"]] = figure
    names = {"batch_size": "batch", "queries": "queries"}
    head = ["initialization", "checkpoint", "setting", "steps", *(names[n] for n in more), "tasks"]
    measured = None if all("acc" in r for r in results) else unit
    figures = headings.columns([*rows.values()], [measured] * len(rows), protocols)
    body = [[*row, *cells] for row, *cells in zip(rows, *figures.values(), strict=True)]
    return aligned([[*head, *figures], *body])


def write_per_task(file: Path, per_task: Mapping[str, Sequence[float]]) -> None:
    """A CSV file with a row a task, as `read_per_task` reads it."""
    with replacing(file) as aside, aside.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["task", *per_task])
        writer.writerows([i, *row] for i, row in enumerate(zip(*per_task.values(), strict=True)))
