"""What the tasks of a test are like: their classes, and where these come from; and results of a
test whose tasks draw their own ways and shots, by these: a row a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fewstep.records.statistics.intervals import show
from fewstep.records.words import setting


SIZES = ("ways", "shots")


class Cell(NamedTuple):
    """One figure of such a table."""

    columns: Mapping[str, str]
    """Whose it is, by column."""
    size: int
    tasks: int
    protocol: str
    figure: str


def varies(result: Mapping[str, Any]) -> bool:
    """Whether the tasks of an entry of results.json drew their own ways and shots."""
    return bool(result.get("by_ways"))


def chance(ways: int, varied: bool) -> float | None:
    """Percent of right answers by guessing; None where each task has ways of its own, and of an
    accuracy that is not among classes."""
    return None if varied or ways == 1 else 100 / ways


def drawn(content: Mapping[str, Any]) -> str | None:
    """How the tasks of a test came about, by its results.json, where they are not of all classes
    of their split."""
    config, benchmark = _node(content, "config"), _node(content, "benchmark")
    if benchmark:
        return f"the benchmark {benchmark.get('name')}"
    if digest := config.get("manifest_sha256"):
        return f"the list {str(digest)[:8]}"
    within = _node(config, "dataset").get("within")
    return f"within one {within}" if within else None


def _node(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}


def grid(size: str, cells: Sequence[Cell]) -> list[list[str]]:
    """Head and body, protocols side by side; a column that is the same in all rows is left out."""
    names = [
        n for n in (cells[0].columns if cells else ()) if len({c.columns[n] for c in cells}) > 1
    ]
    protocols = sorted({cell.protocol for cell in cells})
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in cells:
        row = (*(cell.columns[n] for n in names), str(cell.size), f"{cell.tasks:,}")
        rows.setdefault(row, {})[cell.protocol] = cell.figure
    body = [[*row, *(own.get(p, "") for p in protocols)] for row, own in rows.items()]
    return [[*names, size, "tasks", *protocols], *body]


def grids(results: Sequence[Mapping[str, Any]]) -> list[list[list[str]]]:
    """By ways and by shots, of entries of results.json; none where no test is varied."""
    varied = [result for result in results if varies(result)]
    if not varied:
        return []
    return [grid(s, [cell for r in varied for cell in _cells(r, s)]) for s in SIZES]


def _cells(result: Mapping[str, Any], size: str) -> list[Cell]:
    columns = {
        "initialization": result["init"],
        "checkpoint": result["checkpoint"] or "-",
        "setting": setting(result["ways"], result["shots"], "acc", varies=True),
        "steps": str(result["steps"]),
        "batch": str(result["batch_size"] or "all"),
    }
    groups = result.get(f"by_{size}", ())
    return [Cell(columns, g[size], g["tasks"], result["protocol"], show(g)) for g in groups]
