"""Other numbers of classes than were trained: which head to start from.

    python -m hands.heads glyphs val     # chooses: on meta-validation classes
    python -m hands.heads omniglot test  # reports: nothing is chosen by it

Every head adapts to the same tasks, in the protocol `support`; five queries a class. Writes
benchmarks/results/hands_heads_INIT.json.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from fewstep.adapters.heads import HEADS
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.core.types import EpisodeSpec
from fewstep.data.glyphs import Glyphs
from fewstep.data.omniglot import Omniglot
from fewstep.execution.choice import make_execution
from fewstep.use.learning import Learner
from fewstep.use.loading import load
from fewstep.use.ways import for_ways
from hands import report


DATA = os.environ.get("FEWSTEP_DATA")
WAYS, SHOTS, QUERIES, TASKS, SEED = (2, 10, 20), (1, 5), 5, 100, 0


def main() -> None:
    """Measure one initialization on one split."""
    parser = argparse.ArgumentParser(prog="python -m hands.heads", description=__doc__)
    parser.add_argument("init", choices=("glyphs", "omniglot"))
    parser.add_argument("split", choices=("val", "test"))
    parser.add_argument("--from", dest="path", help="a run or checkpoint in place of the shipped")
    parser.add_argument("--tasks", type=int, default=TASKS)
    given = parser.parse_args()
    data = Glyphs() if given.init == "glyphs" else Omniglot(DATA, split="authors")
    split = data.open()[given.split]
    learner = load(given.path or given.init).learner
    rows = []
    for ways in WAYS:
        for shots in SHOTS:
            found = {h: _accuracies(learner, h, split, ways, shots, given.tasks) for h in HEADS}
            rows += report.rows(found, ways, shots)
            print(*rows[-len(HEADS) :], sep="\n", flush=True)
    command = f"python -m hands.heads {given.init} {given.split} --tasks {given.tasks}"
    about = {"init": given.init, "split": given.split, "tasks": given.tasks, "seed": SEED}
    report.write(f"heads_{given.init}", command, {**about, "queries": QUERIES}, rows)


def _accuracies(
    learner: Learner, head: str, split: Any, ways: int, shots: int, tasks: int
) -> torch.Tensor:
    """[tasks], of the last step."""
    inner = replace(learner.inner, head=head)
    module, start = for_ways(learner.module, learner.start, learner.ways, ways, head)
    each = max(learner.batch_size or 1, ways if ways > learner.ways else 1)
    spec = EpisodeSpec(ways, shots, QUERIES, learner.steps, each)
    episodes = [split.episode(spec, SEED, task) for task in range(tasks)]
    setting = Setting(spec, ("support",), (learner.steps,))
    run = make_execution("auto", module, torch.device("cpu"), episodes[0])
    measure = partial(evaluate_task, inner=inner, objective=learner.objective, setting=setting)
    found = run.map(measure, (start,), episodes)
    return torch.stack([one["support"]["acc"][0] for one in found]).double()


if __name__ == "__main__":
    main()
