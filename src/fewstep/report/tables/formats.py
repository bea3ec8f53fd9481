"""A table's rows as text: for people in Markdown, for programs in CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fewstep.messages.printable import cell, printable
from fewstep.records import measures
from fewstep.report.runs.command import single
from fewstep.report.sections import Section
from fewstep.report.statistics.intervals import estimate
from fewstep.report.tables.best import Best, best
from fewstep.report.tables.columns import caption, grid
from fewstep.report.tables.table import SAME, Row
from fewstep.report.tables.work import SPENT, work


MARKS = re.compile(r"[\\<`*$]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown does not take as it stands; an underscore inside of a word it does."""


def markdown(table: Sequence[Row]) -> str:
    """The rows as a Markdown table, under a line for what is the same in all of them."""
    pieces = [markdown_text(caption(table)), markdown_table(grid(table))]
    return "\n\n".join(filter(None, pieces))


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Head and body as a Markdown table."""
    head, *body = [[_markdown_cell(text) for text in line] for line in lines]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown_cell(text: str) -> str:
    cell = markdown_text(text).replace("|", "\\|")
    return f"**{cell}**" if isinstance(text, Best) else cell


def markdown_text(text: str) -> str:
    """A text from anywhere, in one line, that is no link, no HTML, no code, no formula and not
    emphasized."""
    return printable(MARKS.sub(r"\\\g<0>", text).replace("](", "]\\("))


FIGURES = ("protocol", "metric", "mean", "ci95_over_tasks", "ci95_over_seeds", "diverged")


def write_csv(file: Path, parts: Iterable[Section]) -> None:
    """One line for each row and protocol, in fractions as in results.json, nothing rounded."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        head = ["section", "run", "recipe", *SAME, "seeds", *FIGURES]
        writer.writerow([*head, "best", *SPENT, "objective", "commands"])
        for part in parts:
            marked = best(part.rows)
            for row in part.rows:
                start = [part.title, row.spoken, row.recipe, *row.same.values()]
                start.append(" ".join(str(seed) for seed in row.seeds))
                spent = work(row)
                end: list[Any] = [*(spent[name] for name in SPENT), row.objective]
                end.append("; ".join(single(run) for run in row.runs))
                for protocol, entries in row.cells.items():
                    chosen = (id(row), protocol) in marked
                    line = [*start, protocol, *_figures(entries), chosen, *end]
                    writer.writerow(map(cell, line))


def _figures(entries: Sequence[Any]) -> list[Any]:
    found = estimate(entries)
    scale = measures.scale(found.metric)
    numbers = (found.mean, found.tasks, found.seeds)
    return [found.metric, *(n if n is None else n / scale for n in numbers), found.lost]
