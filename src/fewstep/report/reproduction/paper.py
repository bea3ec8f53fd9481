"""Results beside the paper's: Tables 1 and 2, cell by cell, with what a run did otherwise.

Figures of a shorter training or of fewer tasks stand beside the paper's as well, and what is
different is said next to them, so that nobody takes a quick look for a reproduction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fewstep.report.reproduction.recipe import of_experiment, otherwise, typed
from fewstep.report.statistics.intervals import Estimate, estimate, show
from fewstep.report.tables.table import Entry, Row


Cell = Mapping[str, Any]

PLACE = ("dataset", "algorithm", "ways", "shots")
"""With the protocol: what makes a result the counterpart of a cell."""

HEAD = ["paper", "setting", "run", "here", "paper's", "difference", "intervals", "differs in"]

NOTES = (
    "The paper's ± on the Reptile rows is taken to be over three seeds; that on the MAML rows, "
    "quoted or run with MAML's code, is over 600 tasks of MAML's own protocol and network.",
    "Intervals meet where the difference is no larger than the paper's half-width and the wider "
    "one here, over tasks or over seeds, together.",
)


@cache
def published() -> Mapping[str, Any]:
    """The paper's cells, and for each of their trainings its budget and recipe."""
    return json.loads(
        files("fewstep.report.reproduction")
        .joinpath("paper_tables.json")
        .read_text(encoding="utf-8")
    )


@dataclass(frozen=True)
class Match:
    """A row of ours and the cell of the paper that it is the counterpart of."""

    cell: Cell
    row: Row
    figure: Estimate
    differs: Sequence[str]
    """What the run did otherwise than the paper; empty for a reproduction."""

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's, in points; None where ours diverged."""
        return None if self.figure.diverged else self.figure.mean - self.cell["acc"]

    @property
    def meet(self) -> bool:
        """Whether the two 95 % intervals have a point in common."""
        if self.difference is None:
            return False
        # A difference of exactly both half-widths must not hang on rounding.
        return abs(self.difference) <= self.figure.wider + self.cell["ci"] + 1e-9


def matches(table: Iterable[Row]) -> list[Match]:
    """Every trained row that has a counterpart, in the order of the paper's cells."""
    table = [row for row in table if row["init"] == "trained" and row["split"] in ("test", None)]
    table = [row for row in table if not row["varies"]]  # none of the paper's is
    return [
        Match(cell, row, estimate(entries), differences(cell, row, entries[0]))
        for cell in published()["cells"]
        for row in table
        if all(row[name] == cell[name] for name in PLACE)
        and (entries := row.cells.get(cell["protocol"]))
    ]


def unmatched(found: Iterable[Match]) -> list[Cell]:
    """The paper's cells that no result stands beside."""
    there = [match.cell for match in found]
    return [cell for cell in published()["cells"] if cell not in there]


def differences(cell: Cell, row: Row, entry: Entry) -> list[str]:
    """What a result rests on that the paper's does not, in words."""
    found, experiment = [], cell["training"]
    done, budget = row["meta_iterations"], published()["trainings"][experiment]["meta_iterations"]
    if done != budget:
        found.append(f"{done:,} of {budget:,} meta-iterations")
    tested = {"checkpoint": of_experiment(experiment)["eval.checkpoint"], **cell["evaluation"]}
    for name, wanted in tested.items():
        if name == "tasks":
            found += [f"{entry['tasks']:,} of {wanted:,} tasks"] if entry["tasks"] < wanted else []
        elif entry.get(name, wanted) != wanted:
            found.append(f"{name}={typed(entry[name])}, not {typed(wanted)}")
    if row["shift"]:  # with copies of each picture, which no published test has
        found.append(f"eval.shift={row['shift']}, not 0")
    return found + otherwise(experiment, row)


def grid(found: Sequence[Match]) -> list[list[str]]:
    """Head and body of the table of comparisons."""
    return [HEAD, *(_line(match) for match in found)]


def _line(match: Match) -> list[str]:
    cell, difference = match.cell, match.difference
    lost = difference is None
    return [
        f"Table {cell['table']}, {cell['row']}",
        _setting(cell),
        match.row.label,
        show(match.figure),
        f"{cell['acc']:.2f} ± {cell['ci']:.2f}",
        "" if lost else f"{difference:+.2f}",
        "" if lost else ("meet" if match.meet else "apart"),
        "; ".join(match.differs) or "nothing",
    ]


def _setting(cell: Cell) -> str:
    return f"{cell['dataset']}, {cell['ways']}-way {cell['shots']}-shot"


def without_counterpart(found: Sequence[Match]) -> list[str]:
    """The cells that nothing stands beside, gathered by their rows."""
    rows: dict[str, list[str]] = {}
    for cell in unmatched(found):
        rows.setdefault(f"Table {cell['table']}, {cell['row']}", []).append(_setting(cell))
    return [f"{row}: {'; '.join(settings)}" for row, settings in rows.items()]
