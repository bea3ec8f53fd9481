"""The figures of a shipped initialization's card, on test classes.

    python -m hands.card omniglot --tasks 1000

Five ways in all three protocols on the same tasks, other ways in the protocol `support` on a fifth
as many. Writes src/fewstep/initializations/NAME.json.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from fewstep.config.limits import PROTOCOLS
from fewstep.records.intervals import mean_ci95
from fewstep.records.results import write_json
from fewstep.use import shipped
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
                rows.append(row | {"acc": mean, "acc_ci95": half})
                print(rows[-1], flush=True)
    file = shipped.FOLDER / f"{given.name}.json"
    about = json.loads(file.read_text())
    about["measured"] = f"python -m hands.card {given.name} --tasks {given.tasks}"
    write_json(file, {**about, "accuracy": rows})


if __name__ == "__main__":
    main()
