"""What tells rows apart that are called the same: several tests of one run are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from fewstep.report.tables.table import Row


FACTS: Mapping[str, Callable[[Row], str]] = {
    "checkpoint": lambda row: f"{row['checkpoint'] or 'unknown'} checkpoint",
    "meta_iterations": lambda row: f"{row['meta_iterations']:,} meta-iterations",
    "shift": lambda row: f"shift {row['shift']}",
}
"""Of how a row came about, what its name and its setting do not say, in words."""


def apart(row: Row, namesakes: Iterable[Row], names: Sequence[str] = (*FACTS,)) -> list[str]:
    """Those of some facts of a row in which the rows that are called like it differ, in words."""
    every = list(namesakes)
    return [FACTS[name](row) for name in names if len({other[name] for other in every}) > 1]
