"""Tasks a second of two CPU ranks against one, a thread each, in interleaved rounds.

Whole trainings as users start them; each writes its own `tasks_per_second`, which leaves out
set-up, measuring and the first meta-iterations. Needs a machine with two cores to itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


META_BATCH = 4
TRAINERS = {1: ["trainer=cpu"], 2: ["trainer=ddp_cpu", "trainer.devices=2"]}


def main() -> None:
    """Measure, print and write a small JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--meta-iterations", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("ranks.json"))
    arguments = parser.parse_args()
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(arguments.rounds):
        order = sorted(TRAINERS, reverse=bool(turn % 2))  # neither is always the first
        for ranks in order:
            speeds[ranks].append(tasks_per_second(ranks, arguments.meta_iterations))
        print(f"round {turn + 1}: " + ", ".join(f"{n}: {s[-1]:.1f}" for n, s in speeds.items()))
    figures = summary(speeds)
    arguments.out.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"two ranks train {figures['ratio']:.2f} x as fast as one; {arguments.out}")


def summary(speeds: dict[int, list[float]]) -> dict:
    """Both speeds, and the median over rounds of their ratio."""
    ratios = [two / one for one, two in zip(speeds[1], speeds[2], strict=True)]
    return {
        "meta_batch": META_BATCH,
        "threads_a_rank": 1,
        "cores": len(os.sched_getaffinity(0)),
        "tasks_per_second": speeds,
        "ratios": ratios,
        "ratio": statistics.median(ratios),
    }


def tasks_per_second(ranks: int, meta_iterations: int) -> float:
    """Of one training on the built-in characters with the paper's network and recipe."""
    words = [
        f"meta_batch={META_BATCH}",
        f"max_meta_iterations={meta_iterations}",
        f"checkpoint_every={meta_iterations}",
        "eval.val_every=null",
        "eval.tasks=2",
        "eval.curve_tasks=2",
        "eval.steps=1",
        *TRAINERS[ranks],
    ]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fewstep.train", *words, f"hydra.run.dir={folder}/run"]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        results = json.loads(Path(folder, "run", "results.json").read_text())
    assert results["world_size"] == ranks
    assert results["execution"] == "serial"  # one thread
    return results["tasks_per_second"]


if __name__ == "__main__":
    main()
