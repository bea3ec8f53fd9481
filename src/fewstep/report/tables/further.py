"""What objectives measure beside the accuracy and the loss, as columns of a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from fewstep.records import measures
from fewstep.report.statistics.intervals import by_seed, over_seeds
from fewstep.report.tables.table import Entry, Row


def further(table: Sequence[Row]) -> dict[str, list[str]]:
    """Heads and cells; a head has its protocol where there are several."""
    found = dict.fromkeys(
        (protocol, name)
        for row in table
        for protocol, entries in row.cells.items()
        for name in _names(row, entries[0])
    )
    several = len({protocol for protocol, _ in found}) > 1
    return {
        measures.measured(name) + (f", {protocol}" if several else ""): [
            _cell(row.cells.get(protocol, ()), name) for row in table
        ]
        for protocol, name in found
    }


def _cell(entries: Sequence[Entry], name: str) -> str:
    """`27.08 (seeds ± 3.20)`; empty where there is no such figure."""
    known = [entry for entry in entries if entry.get(name) is not None]
    values = [measures.scale(name) * value for value in by_seed(known, name).values()]
    if not values:
        return ""
    mean, seeds, places = statistics.fmean(values), over_seeds(values), 2
    if measures.scale(name) == 1 and mean:
        places = max(0, 2 - math.floor(math.log10(abs(mean))))  # three digits
    return f"{mean:.{places}f}" + ("" if seeds is None else f" (seeds ± {seeds:.{places}f})")


def _names(row: Row, entry: Entry) -> list[str]:
    """What is of the result alone, and a number but no count."""
    of_run = row.runs[0].content
    own = (n for n, value in entry.items() if n not in of_run and isinstance(value, float))
    return [n for n in own if n not in ("acc", "loss") and not n.endswith("_ci95")]
