"""What the record of the mutants says: how many were killed, and what excuses the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


RESULTS = Path(__file__).parents[1] / "results" / "mutants.json"
EQUIVALENT = Path(__file__).with_name("equivalent.json")
LEAST = 40
"""Mutants that must be drawn."""


def reasons() -> dict[str, str]:
    """Why a mutant is no wrong program, by its key."""
    return json.loads(EQUIVALENT.read_text())


def told(record: Mapping[str, Any], excuses: Mapping[str, str]) -> tuple[list[str], bool]:
    """The verdict in lines, and whether it is good.

    It is good where enough were drawn, all that were named are killed, and each of the others is
    killed or has a reason; a reason for what was killed is wrong, and none.
    """
    every = [(part, m) for part, found in record["mutants"].items() for m in found]
    drawn = [m for part, m in every if part != "named"]
    killed = [m for m in drawn if m["killed_by"]]
    excused = [m for m in drawn if not m["killed_by"] and m["key"] in excuses]
    named = record["mutants"].get("named", [])
    lines = [
        f"drawn by seed {record['seed']}: {len(drawn)}; killed {len(killed)}, equivalent "
        f"{len(excused)}, survived {len(drawn) - len(killed) - len(excused)}",
        f"by name: {len(named)}; killed {sum(bool(m['killed_by']) for m in named)}",
    ]
    lines += [f"equivalent: {m['key']}: {excuses[m['key']]}" for m in excused]
    survived = [m for m in named if not m["killed_by"]]
    survived += [m for m in drawn if not m["killed_by"] and m["key"] not in excuses]
    lines += [f"survived: line {m['line']}: {m['key']}" for m in survived]
    wrong = [m["key"] for m in killed if m["key"] in excuses]
    lines += [f"excused and yet killed: {key}" for key in wrong]
    return lines, len(drawn) >= LEAST and bool(named) and not survived and not wrong
