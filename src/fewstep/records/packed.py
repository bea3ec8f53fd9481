"""The per-task figures of a kept result: one compressed file beside `results_NAME.json`.

A run directory has a CSV file for each result; a result that is kept for good has them all in
`results_NAME.per_task.csv.gz`, so that every paired figure can be worked out again.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

from fewstep.disk.files import replacing
from fewstep.records.results import read_per_task


Figures = dict[str, list[float]]
"""Of each task, in the order of the tasks, by metric."""

PLACE = "result"
"""The column that says which entry of `results` a line is of, counted from 0."""


def packed_beside(results: Path) -> Path:
    """The file of a results file's per-task figures."""
    return results.with_name(f"{results.stem}.per_task.csv.gz")


def pack(results: Path, folder: Path) -> Path:
    """Gather the per-task files that `folder`, a run directory, has of a results file, into the one
    beside that; its path. The same figures give the same bytes.

    Raises:
        OSError: a per-task file is missing.
    """
    lines = io.StringIO()
    content: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    every = [read_per_task(folder / entry["per_task_file"]) for entry in content["results"]]
    names = list(dict.fromkeys(name for figures in every for name in figures))
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([PLACE, "task", *names])
    for place, figures in enumerate(every):
        columns = [figures.get(name, [""] * len(figures["loss"])) for name in names]
        rows = zip(*columns, strict=True)
        writer.writerows([place, task, *map(_short, row)] for task, row in enumerate(rows))
    file = packed_beside(results)
    with replacing(file) as aside:
        aside.write_bytes(gzip.compress(lines.getvalue().encode(), mtime=0))
    return file


def unpack(file: Path) -> dict[int, Figures]:
    """The figures of each result in such a file, by its place among the results.

    Raises:
        OSError, EOFError, zlib.error, LookupError, TypeError, ValueError: it is damaged.
    """
    found: dict[int, Figures] = {}
    with gzip.open(file, "rt", newline="", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            figures = found.setdefault(int(row.pop(PLACE)), {})
            if (task := int(row.pop("task"))) != len(next(iter(figures.values()), [])):
                raise ValueError(f"task {task} is out of its order")
            for name, value in row.items():
                if value:
                    figures.setdefault(name, []).append(float(value))
    return found


def _short(value: Any) -> str:
    """Seven digits, which is what a single-precision figure has."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)
