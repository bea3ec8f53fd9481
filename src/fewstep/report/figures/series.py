"""What is one curve in all panels of a report: its words, and its colour and marker.

The colour is the algorithm's, the panel the setting, the line style the protocol. Recipes of one
algorithm differ in their markers, or in a figure with no other algorithm in their colours. Where
one has more recipes than there are markers, the rest have colours that no algorithm has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.config.checks import flatten
from fewstep.config.limits import PROTOCOLS
from fewstep.records import words
from fewstep.records.figures.style import FURTHER, MARKERS, OWN, PALETTE, colors_of, markers_of
from fewstep.report.runs.data import CLASSES
from fewstep.report.runs.swept import distinguishing
from fewstep.report.tables.table import Entry, Row


SHOWN_LINES = 24
"""Series that a picture tells apart; it shows no more."""

SAID = ("label", "algorithm.name", "algorithm._target_", "dataset.name", "dataset._target_")
SAID += ("shots.ways", "shots.shots", "shots", "algorithm", "dataset")
"""Keys that a panel's title, a label or the algorithm's name says."""

ELSEWHERE = ("point", "eval.", "baselines")
"""Beginnings of keys that say how it was tested, and what beside."""

Look = Mapping[str, Any]


@dataclass(frozen=True)
class Series:
    """One curve, wherever it is drawn."""

    words: str
    family: str
    """What its colour is of: an algorithm, or a baseline."""


def cells(row: Row) -> dict[str, Sequence[Entry]]:
    """The entries of a row by protocol; a regression's alone is drawn as the first of all is."""
    alone = row.metric == "loss" and len(row.cells) == 1
    return dict(zip(PROTOCOLS, row.cells.values(), strict=False)) if alone else dict(row.cells)


def place(row: Row) -> str:
    """The panel of a row in words: its dataset and setting."""
    setting = words.setting(row["ways"], row["shots"], row.metric, row["varies"])
    said = [words.dataset(row["dataset"]), setting]
    if row.columns.get(CLASSES):
        said.append(f"{CLASSES} {row.columns[CLASSES]}")
    for extra in row.setting.split(", ")[1:]:  # batch_size=5, where rows differ in it
        name, _, value = extra.partition("=")
        said.append(words.assigned(f"eval.{name}", value))
    return ", ".join(said)


def series_of(table: Sequence[Row], keys: Sequence[str] = ()) -> list[Series]:
    """The series of each row; rows of one panel never share theirs.

    `keys` are said of each row, as of the trials of a search; else the fewest that tell apart what
    a panel has of one algorithm.
    """
    firsts = [_first(row) for row in table]
    of = {first: keys or _differing(table, firsts, first) for first in dict.fromkeys(firsts)}
    words_of = [[first, *_values(row, of[first])] for row, first in zip(table, firsts, strict=True)]
    for candidate in (_baseline, *CANDIDATES):
        words_of = _apart(table, words_of, candidate)
    return [
        Series(", ".join(filter(None, said)), _family(row))
        for row, said in zip(table, words_of, strict=True)
    ]


def _first(row: Row) -> str:
    init = str(row["init"])
    if init != "trained":
        return words.INITIALIZATIONS.get(init, init)
    return row["label"] or words.algorithm(row["algorithm"])


def _family(row: Row) -> str:
    return row["algorithm"] if row["init"] == "trained" else row["init"]


def _differing(table: Sequence[Row], firsts: Sequence[str], first: str) -> list[str]:
    """The keys that tell the rows of one panel apart which begin with the same words."""
    panels: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row, own in zip(table, firsts, strict=True):
        if own == first:
            panels.setdefault(place(row), {})[row.recipe] = _keys(row)
    found = (distinguishing(list(recipes.values())) for recipes in panels.values())
    return list(dict.fromkeys(key for keys in found for key in keys))


def _keys(row: Row) -> Mapping[str, Any]:
    """Of its configuration what is not said elsewhere."""
    flat = flatten(row.runs[0].config)
    return {key: v for key, v in flat if key not in SAID and not key.startswith(ELSEWHERE)}


def _values(row: Row, keys: Sequence[str]) -> list[str]:
    """What tells its recipe and its data apart."""
    if row["init"] not in ("trained", "joint"):
        return []
    flat = _keys(row)
    said = [words.assigned(key, flat[key]) for key in keys if flat.get(key) is not None]
    for name in ("data", "classes", "trained on"):
        if row.columns.get(name):
            said.append(f"{name} {row.columns[name]}")
    return said


def _baseline(row: Row) -> str:
    trained = words.algorithm(row["algorithm"])
    return "" if row["init"] == "trained" else f"adapted as by {trained}"


CANDIDATES: tuple[Callable[[Row], str], ...] = (
    lambda row: f"{row['meta_iterations']:,} meta-iterations",
    lambda row: f"{row['steps']} test steps",
    lambda row: f"pictures shifted by up to {row['shift']}" if row["shift"] else "",
    lambda row: words.of_split(f"{row['tasks']:,} test tasks", row["split"]),
    lambda row: f"{row['checkpoint']} checkpoint",
    lambda row: row["name"],
    lambda row: f"recipe {row.recipe[:6]}",
)
"""What rows of one panel are told apart by where their words are the same."""


def _apart(
    table: Sequence[Row], words_of: Sequence[list[str]], more: Callable[[Row], str]
) -> list[list[str]]:
    """With more words where those so far are not enough, and these do tell rows apart."""
    at = [(place(row), tuple(said)) for row, said in zip(table, words_of, strict=True)]
    taken = Counter(at)
    known: dict[Any, set[str]] = {}
    for row, key in zip(table, at, strict=True):
        known.setdefault(key, set()).add(more(row))
    return [
        [*said, more(row)] if taken[key] > 1 and len(known[key]) > 1 else list(said)
        for row, said, key in zip(table, words_of, at, strict=True)
    ]


def families_of(table: Sequence[Row]) -> set[str]:
    """What the colours of some rows are of."""
    return {_family(row) for row in table}


def looks_of(found: Sequence[Series], among: Iterable[str] = ()) -> dict[Series, Look]:
    """A colour and a marker for each of the first series that can be told apart, no two the same;
    their colours are those that they have `among` the families of a whole report."""
    every = list(dict.fromkeys(found))[:SHOWN_LINES]
    families = {s.family for s in every} - {"random"}
    colors, markers = colors_of({*among, *families, "random"}), markers_of({*among, *families})
    looks: dict[Series, Look] = {}
    taken: set[tuple[str, str]] = set()
    for series in every:
        first = markers.get(series.family, MARKERS[len(OWN)])
        alone = len(families) == 1 and series.family != "random"
        usable = _usable(colors, series.family, first, alone)
        color, marker = next(pair for pair in usable if pair not in taken)
        taken.add((color, marker))
        looks[series] = {"color": color, "marker": marker}
    return looks


def _usable(
    colors: Mapping[str, str], family: str, first: str, alone: bool
) -> Iterator[tuple[str, str]]:
    """What a series of a family may look like, the best first: in its colour, by each marker; then
    in colours that no other family has, then in any. A family that is alone has all colours from
    the first on, for they are told apart sooner than markers."""
    own, further = colors[family], (first, *(m for m in MARKERS if m != first))
    every = (*PALETTE, *FURTHER)
    if alone:
        yield from ((color, m) for m in further for color in dict.fromkeys((own, *PALETTE)))
    free = [color for color in every if color not in colors.values()]
    for some in ((own,), free, every):
        yield from ((color, m) for color in some for m in further)
