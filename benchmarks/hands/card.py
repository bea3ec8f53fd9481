"""The figures of a shipped initialization's card, on test classes.

    python -m hands.card omniglot --tasks 1000

Five ways in all three protocols on the same tasks, other ways in the protocol `support` on a fifth
as many. Writes src/fewstep/initializations/NAME.json.
"""

from __future__ import annotations

import argparse
import json
import os
from functools import partial
from typing import Any

import torch

from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.core.types import EpisodeSpec
from fewstep.data.glyphs import Glyphs
from fewstep.data.omniglot import Omniglot
from fewstep.execution.choice import make_execution
from fewstep.records.intervals import mean_ci95
from fewstep.records.results import write_json
from fewstep.use import shipped
from fewstep.use.learning import Learner
from fewstep.use.loading import load
from fewstep.use.ways import for_ways


PROTOCOLS = ("inductive", "transductive", "support")
OTHERS, QUERIES, SEED = (2, 10, 20), 1, 0


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m hands.card", description=__doc__)
    parser.add_argument("name", choices=shipped.names())
    parser.add_argument("--tasks", type=int, default=1000)
    given = parser.parse_args()
    data = Glyphs() if given.name == "glyphs" else Omniglot(os.environ["FEWSTEP_DATA"])
    split, learner = data.open()["test"], load(given.name).learner
    rows = []
    for ways in (learner.ways, *OTHERS):
        own = ways == learner.ways
        for shots in (1, 5):
            tasks = given.tasks if own else given.tasks // 5
            protocols = PROTOCOLS if own else PROTOCOLS[-1:]
            for row in _rows(learner, split, (ways, shots, tasks), protocols):
                rows.append(row)
                print(row, flush=True)
    file = shipped.FOLDER / f"{given.name}.json"
    about = json.loads(file.read_text())
    about["measured"] = f"python -m hands.card {given.name} --tasks {given.tasks}"
    write_json(file, {**about, "accuracy": rows})


def _rows(
    learner: Learner, split: Any, task: tuple[int, int, int], protocols: tuple[str, ...]
) -> list[dict[str, Any]]:
    ways, shots, tasks = task
    module, start = for_ways(learner.module, learner.start, learner.ways, ways, learner.inner.head)
    each = learner.batch_size if ways <= learner.ways else max(learner.batch_size or 0, ways)
    spec = EpisodeSpec(ways, shots, QUERIES, learner.steps, each)
    setting = Setting(spec, protocols, (learner.steps,))
    episodes = [split.episode(spec, SEED, i) for i in range(tasks)]
    run = make_execution("auto", module, torch.device("cpu"), episodes[0])
    measure = partial(
        evaluate_task, inner=learner.inner, objective=learner.objective, setting=setting
    )
    found = run.map(measure, (start,), episodes)
    rows = []
    for protocol in protocols:
        accuracies = torch.stack([one[protocol]["acc"][0] for one in found])
        mean, half = mean_ci95(accuracies)
        row = {"ways": ways, "shots": shots, "protocol": protocol, "tasks": tasks}
        rows.append(row | {"acc": mean, "acc_ci95": half})
    return rows


if __name__ == "__main__":
    main()
