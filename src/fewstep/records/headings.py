"""What the columns of final figures are called: accuracies by protocol, a loss by its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def columns(
    cells: Sequence[Mapping[str, str]], units: Sequence[str | None], protocols: Sequence[str]
) -> dict[str, list[str]]:
    """Heads and cells of a table, from the figures of each row by protocol.

    `units` says the unit of each row's figures, None of accuracies. A loss that no row has in
    several protocols is in a column that is called as its unit is, so that it stands neither below
    an accuracy nor without one.
    """
    rows = list(zip(cells, units, strict=True))
    several = {unit for of_row, unit in rows if len(of_row) > 1}
    found: dict[str, list[str]] = {}
    for unit in sorted(dict.fromkeys(units), key=lambda unit: unit is not None):
        for protocol in protocols:
            for place, (of_row, own) in enumerate(rows):
                if own == unit and protocol in of_row:
                    head = unit if unit and unit not in several else _both(unit, protocol)
                    found.setdefault(head, [""] * len(rows))[place] = of_row[protocol]
    return found


def _both(unit: str | None, protocol: str) -> str:
    return f"{unit}, {protocol}" if unit else protocol
