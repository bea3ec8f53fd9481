"""The figures of a shipped initialization's card, on test classes.

    python -m hands.card omniglot --tasks 1000

Five ways in all three protocols on the same tasks, other ways in the protocol `support` on a fifth
as many. Writes src/fewstep/initializations/NAME.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from fewstep.config.limits import PROTOCOLS
from fewstep.records.results import write_json
from fewstep.records.statistics.intervals import mean_ci95
from fewstep.run.stored import shipped
from fewstep.use.loading import load
from hands.measured import accuracies, spec_of, split_of


OTHERS, QUERIES = (2, 10, 20), 1


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m hands.card", description=__doc__)
    parser.add_argument("name", choices=shipped.names())
    parser.add_argument("--tasks", type=int, default=1000)
    given = parser.parse_args()
    split, learner = split_of(given.name, "test"), load(given.name).learner
    rows: list[dict[str, Any]] = []
    for ways in (learner.ways, *OTHERS):
        own = ways == learner.ways
        for shots in (1, 5):
            tasks = given.tasks if own else given.tasks // 5
            protocols = PROTOCOLS if own else PROTOCOLS[-1:]
            spec = spec_of(learner, ways, shots, QUERIES)
            found = accuracies(learner, split, spec, tasks, protocols)
            for protocol, values in found.items():
                mean, half = mean_ci95(values)
                row = {"ways": ways, "shots": shots, "protocol": protocol, "tasks": tasks}
                row |= {"acc": mean, "acc_ci95": half}
                if own and protocol != PROTOCOLS[0]:
                    row["more"], row["more_ci95"] = mean_ci95(values - found[PROTOCOLS[0]])
                rows.append(row)
                print(row, flush=True)
    file = shipped.FOLDER / f"{given.name}.json"
    about = json.loads(file.read_text())
    about["measured"] = f"python -m hands.card {given.name} --tasks {given.tasks}"
    write_json(file, {**about, "accuracy": rows})


def table() -> str:
    """What the protocols give for as many ways as were trained: a row an initialization and
    number of shots, and the difference from the first protocol on the same tasks."""
    lines = [["", "tasks", *PROTOCOLS], ["---", *("--:" for _ in range(1 + len(PROTOCOLS)))]]
    for name in shipped.names():
        rows = json.loads((shipped.FOLDER / f"{name}.json").read_text())["accuracy"]
        own = [row for row in rows if row["protocol"] == PROTOCOLS[0]]
        for first in own:
            setting = (first["ways"], first["shots"])
            of = {r["protocol"]: r for r in rows if (r["ways"], r["shots"]) == setting}
            told = f"`{name}`, {first['ways']}-way {first['shots']}-shot"
            cells = [_cell(of[protocol]) for protocol in PROTOCOLS]
            lines.append([told, f"{first['tasks']:,}", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Mapping[str, Any]) -> str:
    told = f"{100 * row['acc']:.2f} ± {100 * row['acc_ci95']:.2f}"
    if "more" not in row:
        return told
    return f"{told} ({100 * row['more']:+.2f} ± {100 * row['more_ci95']:.2f})"


if __name__ == "__main__":
    main()
