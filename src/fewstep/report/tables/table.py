"""From runs to rows: the seeds of one recipe and setting together, everything else apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fewstep.records import measures, sizes, words
from fewstep.report.runs.data import Data, data_columns
from fewstep.report.runs.gather import Run
from fewstep.report.runs.recipes import Recipes
from fewstep.report.runs.recipes import words as words_of
from fewstep.report.runs.searched import objective
from fewstep.report.runs.swept import distinguishing, values


Entry = Mapping[str, Any]
"""One entry of `results` with what its run says of itself, the run's `folder` and results `file`,
and its `place` among the results."""

HIDDEN = ("split", "batch_size", "queries", "eval_seed", "drawn")
"""What a row is told by where nothing else of it differs from another row's."""

SHOWN = ("name", "meta_iterations", "init", "checkpoint", "ways", "shots", "varies", "steps")
SHOWN += ("tasks", "shift")
SAME = (*SHOWN, *HIDDEN, "label", "algorithm", "dataset", "dataset_split")
SAME += ("data_sha256", "classes_sha256", "trained_on")
"""What the runs of one row share, beside their recipe; they differ in their seeds alone."""


@dataclass
class Row:
    """One recipe, evaluated in one setting."""

    recipe: str
    same: Mapping[str, Any]
    """The keys of SAME."""
    runs: list[Run] = field(default_factory=list)
    cells: dict[str, list[Entry]] = field(default_factory=dict)
    """By protocol."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """What tells its recipe from the others': `run`, or for a sweep the keys that were swept."""
    setting: str = ""
    objective: float | None = None
    """What a search judged its training by, on average over its runs."""

    def __getitem__(self, name: str) -> Any:
        return self.same[name]

    @property
    def words(self) -> list[str]:
        return words_of(self.runs[0])

    @property
    def seeds(self) -> list[Any]:
        return sorted({run.content["seed"] for run in self.runs})

    @property
    def metric(self) -> str:
        """`acc`, or `loss` where nothing is right or wrong."""
        return measures.metric_of(next(iter(self.cells.values()))[0])

    @property
    def unit(self) -> str:
        """What is measured, with its unit."""
        return measures.unit(self.metric, self.runs[0].content)

    @property
    def chance(self) -> float | None:
        """Percent of right answers by guessing, where it is known."""
        return sizes.chance(self["ways"], self["varies"])

    @property
    def label(self) -> str:
        """Its recipe in one line."""
        return _in_words(self.columns)

    @property
    def brief(self) -> str:
        """The same without what its setting says."""
        kept = {name: v for name, v in self.columns.items() if not self.says(name)}
        return _in_words(kept) or self.label

    @property
    def spoken(self) -> str:
        """The brief one as tables and pictures say it: `Reptile`, `inner learning rate 0.01`."""
        kept = {name: v for name, v in self.columns.items() if not self.says(name)}
        known = {name: v for name, v in (kept or self.columns).items() if v is not None}
        return ", ".join(words.assigned(name, v) for name, v in known.items())

    def says(self, name: str) -> bool:
        """Whether its setting has the value of a swept key: it was tested as it was trained."""
        part, _, key = name.partition(".")
        return part == "shots" and self.columns.get(name) == self.same.get(key)


def _in_words(columns: Mapping[str, Any]) -> str:
    known = {name: value for name, value in columns.items() if value is not None}
    if "run" in known:
        return ", ".join([known.pop("run"), *(f"{n} {v}" for n, v in known.items())])
    return ", ".join(v if n == "label" else f"{n}={v}" for n, v in known.items())


def rows(runs: Iterable[Run], swept: Sequence[str] = ()) -> list[Row]:
    """One row for each recipe and setting of the runs that finished; protocols side by side.

    With `swept`, the keys of a sweep, rows are told apart by those and not by names and commands.
    """
    gathered: dict[tuple, Row] = {}
    runs = [run for run in runs if run.finished]
    data_of, recipe_of = Data(runs), Recipes(runs)
    for run in runs:
        for place, result in enumerate(run.content["results"]):
            where = {"folder": run.folder, "file": run.file, "place": place}
            entry = {**run.content, **result, **where, "varies": sizes.varies(result)}
            entry["drawn"] = sizes.drawn(run.content)
            entry["shift"] = entry.get("shift", 0)
            same = {name: entry.get(name) for name in SAME} | data_of(entry)
            key = (recipe := recipe_of(run), *same.values())
            row = gathered.setdefault(key, Row(recipe, same))
            if run not in row.runs:
                row.runs.append(run)
            row.cells.setdefault(result["protocol"], []).append(entry)
    table = list(gathered.values())
    for row in table:
        row.cells = _distinct(row.cells)
    for row in table:
        row.columns = values(row.runs[0].config, swept) if swept else {"run": _name(row, table)}
    for row in table:
        row.columns = {**row.columns, **data_columns(row, table)}
    for row in table:
        row.setting = _setting(row, table)
        row.objective = _objective(row)
    return table


def _objective(row: Row) -> float | None:
    found = [objective(run) for run in row.runs] if row["init"] == "trained" else []
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if known else None


def _distinct(cells: Mapping[str, list[Entry]]) -> dict[str, list[Entry]]:
    """By protocol; those of a regression are one where they agree, as they do without batch norm,
    and nothing is to be compared or drawn twice."""
    found: dict[str, list[Entry]] = {}
    for protocol, entries in cells.items():
        regression = "acc" not in entries[0]
        if not (regression and any(_agree(entries, other) for other in found.values())):
            found[protocol] = entries
    return found


def _agree(one: Sequence[Entry], other: Sequence[Entry]) -> bool:
    pairs = [(a["loss"], b["loss"]) for a, b in zip(one, other, strict=False)]
    lost = (None in pair and pair[0] is pair[1] for pair in pairs)
    close = (None not in pair and math.isclose(*pair, rel_tol=1e-5) for pair in pairs)
    return len(one) == len(other) and all(a or b for a, b in zip(lost, close, strict=True))


def _name(row: Row, table: Sequence[Row]) -> str:
    """The name and label, the label alone where all rows have one and share the name, and where
    recipes share both what not all of these have."""
    alike = {r.recipe: r for r in table if r["name"] == row["name"] and r["label"] == row["label"]}
    one_name = len({r["name"] for r in table}) == 1 and all(r["label"] for r in table)
    prefix = "" if one_name and len({r["label"] for r in table}) > 1 else row["name"]
    name = ": ".join(part for part in (prefix, row["label"]) if part)
    if len(alike) == 1:
        return name
    telling = _by_keys if all(r.runs[0].config for r in alike.values()) else _by_words
    own = telling(row, alike)
    return f"{name} [{', '.join(own)}]" if own else name


def _by_keys(row: Row, alike: Mapping[str, Row]) -> list[str]:
    keys = distinguishing([other.runs[0].config for other in alike.values()])
    return [words.assigned(key, v) for key, v in values(row.runs[0].config, keys).items()]


def _by_words(row: Row, alike: Mapping[str, Row]) -> list[str]:
    """Overrides that not all have; the jobs of a sweep have one command, and then the hash."""
    own = [w for w in row.words if not all(w in other.words for other in alike.values())]
    if sum(other.words == row.words for other in alike.values()) > 1:
        own.append("older" if " " in row.recipe else f"recipe {row.recipe[:6]}")
    return own


def _setting(row: Row, table: Sequence[Row]) -> str:
    """Ways and shots, and what else differs between rows that look the same."""
    alike = [r for r in table if _looks(r) == _looks(row)]
    more = [name for name in HIDDEN if len({r[name] for r in alike}) > 1]
    said = words.setting(row["ways"], row["shots"], row.metric, row["varies"])
    return ", ".join([said, *(f"{n}={row[n]}" for n in more)])


def _looks(row: Row) -> tuple:
    return (row.label, *(row[name] for name in SHOWN))
