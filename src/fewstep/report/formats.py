"""A table's rows as text: for people in Markdown, for programs in CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fewstep.config.limits import PROTOCOLS
from fewstep.messages.printable import cell, printable
from fewstep.report.intervals import estimate, show
from fewstep.report.sections import Section
from fewstep.report.table import SAME, Row


NOTE = (
    "± is the half-width of the 95 % interval over tasks; (seeds ± …) that of the mean over seeds, "
    "by Student's t. Each picture says what its bands and bars are. Accuracies are in percent."
)


def grid(table: Sequence[Row]) -> list[list[str]]:
    """Head and body; accuracies in percent, losses as they are."""
    protocols = [p for p in PROTOCOLS if any(p in row.cells for row in table)]
    own = list(dict.fromkeys(name for row in table for name in row.columns))
    head = [*own, "meta-iterations", "initialization", "setting", "steps", "tasks", "seeds"]
    lines = [[*head, *protocols]]
    for row in table:
        lines.append(
            [
                *("" if row.columns.get(n) is None else str(row.columns[n]) for n in own),
                f"{row['meta_iterations']:,}",
                row["init"] + (f" ({row['checkpoint']})" if row["checkpoint"] else ""),
                row.setting,
                str(row["steps"]),
                f"{row['tasks']:,}",
                ", ".join(str(seed) for seed in row.seeds),
                *(show(estimate(row.cells[p])) if p in row.cells else "" for p in protocols),
            ]
        )
    return lines


def markdown(table: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    return markdown_table(grid(table))


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Head and body as a Markdown table."""
    head, *body = [[markdown_text(text).replace("|", "\\|") for text in line] for line in lines]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    """A text from anywhere, in one line, that is no link, no HTML and no code."""
    for mark in ("\\", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return printable(text.replace("](", "]\\("))


def write_csv(file: Path, parts: Iterable[Section]) -> None:
    """One line for each row and protocol, in fractions as in results.json, nothing rounded."""
    figures = ("protocol", "metric", "mean", "ci95_over_tasks", "ci95_over_seeds", "diverged")
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["section", "run", "recipe", *SAME, "seeds", *figures])
        for part in parts:
            for row in part.rows:
                start = [part.title, row.label, row.recipe, *row.same.values()]
                start.append(" ".join(str(seed) for seed in row.seeds))
                for protocol, entries in row.cells.items():
                    writer.writerow(map(cell, [*start, protocol, *_figures(entries)]))


def _figures(entries: Sequence[Any]) -> list[Any]:
    found = estimate(entries)
    scale = 100 if found.metric == "acc" else 1
    numbers = (found.mean, found.tasks, found.seeds)
    return [found.metric, *(n if n is None else n / scale for n in numbers), found.lost]
