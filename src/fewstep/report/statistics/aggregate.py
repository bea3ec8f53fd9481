"""A sweep in figures that another program draws: means over seeds, intervals, curves."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.records import measures
from fewstep.report.sections import Section
from fewstep.report.statistics.intervals import by_seed, estimate
from fewstep.report.tables.table import Entry, Row


@dataclass(frozen=True)
class Figure:
    """One recipe in one setting and protocol, over its seeds."""

    name: str
    """A word for it, which no other of the sweep has."""
    columns: Mapping[str, Any]
    """What was swept, the setting, the protocol and how many tasks and seeds."""
    metric: str
    """`acc`, here a fraction, or `loss`."""
    mean: float | None
    """None where runs diverged."""
    seeds: float | None
    """Half-width of the 95 % interval over seeds; None for a single one."""
    tasks: float | None
    """Half-width over tasks."""
    curve: Mapping[int, float]
    """The mean over seeds after each inner step; empty where none was measured."""


def figures(section: Section) -> list[Figure]:
    """Every row and protocol of a sweep."""
    found = [
        _figure(row, protocol, entries)
        for row in section.rows
        for protocol, entries in row.cells.items()
    ]
    names = [figure.name for figure in found]
    return [
        figure if names.count(figure.name) == 1 else _numbered(figure, place)
        for place, figure in enumerate(found)
    ]


def _figure(row: Row, protocol: str, entries: Sequence[Entry]) -> Figure:
    one = estimate(entries)
    scale = measures.scale(one.metric)
    mean, seeds, tasks = (
        None if value is None else value / scale for value in (one.mean, one.seeds, one.tasks)
    )
    of_row = {**row.columns, "init": row["init"], "setting": row.setting, "protocol": protocol}
    own = [value for value in row.columns.values() if value is not None]
    own += [] if row["init"] == "trained" else [row["init"]]
    size = f"{row['ways']}w{row['shots']}s"
    words = [*map(str, own), f"any_{size}" if row["varies"] else size, protocol]
    name = re.sub(r"\W+", "_", "_".join(dict.fromkeys(words)))
    seeds_of = {entry["seed"] for entry in entries}  # diverged ones too
    columns = {**of_row, "tasks": row["tasks"], "seeds": len(seeds_of)}
    return Figure(name, columns, one.metric, mean, seeds, tasks, dict(_curve(entries, one.metric)))


def _curve(entries: Sequence[Entry], metric: str) -> Iterator[tuple[int, float]]:
    """The mean over seeds at each step that all of them have, diverged ones left out."""
    curves = [
        {"seed": e["seed"], **dict(zip(e["curve"]["steps"], e["curve"][metric], strict=True))}
        for e in entries
        if metric in (e.get("curve") or {})
    ]
    for step in curves[0] if curves else ():
        if step != "seed" and all(curve.get(step) is not None for curve in curves):
            values = by_seed([{"seed": c["seed"], metric: c[step]} for c in curves], metric)
            yield int(step), statistics.fmean(values.values())


def _numbered(figure: Figure, place: int) -> Figure:
    return Figure(**{**vars(figure), "name": f"{figure.name}_{place}"})
