"""Memory of one task's inner loop at 5, 50 and 500 steps, and MAML's with and without checkpoints.

Each row is a process of its own: tensors at their peak, counted exactly by the allocator, and what
the process grew by. The task is the paper's: 5 ways, the Omniglot net, one task after another.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

from costs.record import MIB, in_own_process, table
from fewstep.bench.memory import process_peak, tensor_peak
from fewstep.bench.subject import open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.run.construction.assembly import assemble


ROWS = {
    "Reptile": ["algorithm=reptile"],
    "FOMAML": ["algorithm=fomaml"],
    "MAML": ["algorithm=maml", "algorithm.inner.lr=0.01"],
    "MAML, checkpoints": ["algorithm=maml", "algorithm.inner.lr=0.01"],
}
STEPS, QUICK = (5, 50, 500), (5, 20)
SAME, PART = 1.01, 10


def measure(quick: bool) -> dict[str, Any]:
    """A row for each algorithm and number of inner steps."""
    rows = []
    for name, words in ROWS.items():
        for steps in QUICK if quick else STEPS:
            chosen = [*words, f"algorithm.inner.steps={steps}"]
            segment = math.isqrt(steps) if "checkpoints" in name else None
            if segment:
                chosen.append(f"algorithm.checkpoint_steps={segment}")
            figures = in_own_process("costs.memory", *chosen, KINETO_LOG_LEVEL="99")
            rows.append({"name": name, "steps": steps, "checkpoint_steps": segment, **figures})
    return {"rows": rows}


def markdown(figures: dict[str, Any]) -> str:
    """Tensors, process and time side by side."""
    head = ["one task of", "inner steps", "segment", "tensors at peak, MiB",
            "process grew by, MiB", "seconds"]  # fmt: skip
    body = [
        [
            row["name"],
            str(row["steps"]),
            str(row["checkpoint_steps"] or ""),
            f"{row['tensor_peak'] / MIB:.2f}",
            f"{row['process_peak'] / MIB:.1f}",
            f"{row['seconds']:.3f}",
        ]
        for row in figures["rows"]
    ]
    return "## Memory by inner steps\n\n" + table(head, body) + "\n"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether memory hangs on the inner steps only where the graph of all is asked for."""
    peaks: dict[str, list[float]] = {}
    for row in figures["rows"]:
        peaks.setdefault(row["name"], []).append(row["tensor_peak"])
    found = {
        f"the memory of {name} does not hang on the inner steps": max(peaks[name])
        <= SAME * min(peaks[name])
        for name in ("Reptile", "FOMAML")
    }
    whole, checkpointed = peaks["MAML"][-1], peaks["MAML, checkpoints"][-1]
    claim = f"checkpoints hold at most a {PART}th of MAML's memory at the most inner steps"
    return found | {claim: PART * checkpointed <= whole}


def one_task(words: list[str]) -> dict[str, float]:
    """Peaks and the least time of one task's direction, after a warm-up of the same net."""
    words = ["trainer=cpu", "execution=serial", "meta_batch=1", *words]
    subject = open_subject(assemble(plain(compose_config("train", words))))
    execution, steps = subject.learner.execution, subject.learner.algorithm.inner.steps
    algorithm, spec = subject.with_steps(2)
    episode = subject.split.episode(spec, 0, 0)
    learner = subject.learner
    algorithm.direction(learner.problem, learner.start(), episode)
    episodes, times = next(subject.meta_batches()), []

    def direction() -> None:
        began = time.perf_counter()
        subject.learner.directions(episodes, execution)
        times.append(time.perf_counter() - began)

    grown = process_peak(direction, subject.device)
    for _ in range(min(4, 200 // steps)):
        direction()
    seconds = min(times)
    tensors = tensor_peak(direction, subject.device)
    return {"tensor_peak": tensors, "process_peak": grown, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(one_task(sys.argv[1:])))
