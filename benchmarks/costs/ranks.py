"""Tasks a second of two CPU ranks against one, a thread each, on the paper's network and recipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from costs.record import table
from fewstep.bench.clocks import quartiles


META_BATCH, AT_LEAST = 4, 1.6
TRAINERS = {1: ["trainer=cpu"], 2: ["trainer=ddp_cpu", "trainer.devices=2"]}
ROUNDS, META_ITERATIONS = 5, 150


def measure(quick: bool) -> dict[str, Any]:
    """Whole trainings as users start them, in interleaved rounds; each says how fast it was.

    Set-up, measuring and the first meta-iterations are left out by `tasks_per_second` itself.
    """
    speeds: dict[int, list[float]] = {ranks: [] for ranks in TRAINERS}
    for turn in range(2 if quick else ROUNDS):
        for ranks in sorted(TRAINERS, reverse=bool(turn % 2)):  # neither is always the first
            speeds[ranks].append(_tasks_per_second(ranks, 20 if quick else META_ITERATIONS))
    ratios = [two / one for one, two in zip(speeds[1], speeds[2], strict=True)]
    return {
        "meta_batch": META_BATCH,
        "tasks_per_second": {str(ranks): quartiles(found) for ranks, found in speeds.items()},
        "ratio": quartiles(ratios),
        "at_least": AT_LEAST,
    }


def markdown(figures: dict[str, Any]) -> str:
    """A row a number of ranks, and the ratio beside what it should be."""
    body = [
        [ranks, f"{middle:.1f} ({low:.1f} to {high:.1f})"]
        for ranks, (low, middle, high) in figures["tasks_per_second"].items()
    ]
    text = table(["ranks of one thread", "tasks a second (quartiles)"], body)
    low, middle, high = figures["ratio"]
    ratio = f"two train {middle:.2f} x as fast as one ({low:.2f} to {high:.2f})"
    return f"## Two CPU ranks\n\n{text}\n\nMeta-batch {META_BATCH}: {ratio}.\n"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether the second rank pays."""
    return {f"two are at least {AT_LEAST} x as fast as one": figures["ratio"][1] >= AT_LEAST}


def _tasks_per_second(ranks: int, meta_iterations: int) -> float:
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
        command = [
            sys.executable,
            "-m",
            "fewstep",
            "train",
            *words,
            f"hydra.run.dir={folder}/run",
        ]
        env = {**os.environ, "OMP_NUM_THREADS": "1" if ranks == 1 else "2"}  # two are shared out
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        results = json.loads(Path(folder, "run", "results.json").read_text())
    if results["world_size"] != ranks:
        raise RuntimeError(f"{ranks} ranks were asked for: {results['world_size']} ran")
    return results["tasks_per_second"]
