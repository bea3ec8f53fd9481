"""Seconds from a command to its first meta-iteration, and to the help, on a warm cache."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from costs.record import table
from fewstep.bench.clocks import quartiles


LIMITS = {"fewstep --help": 2.0, "fewstep train --help": 2.0, "first meta-iteration": 10.0}
TRAIN = ["train", "trainer=cpu", "log_every=1", "max_meta_iterations=100000"]
TIMES, PATIENCE = 5, 120.0


def measure(quick: bool) -> dict[str, Any]:
    """Each command some times in turn, after one that warms the caches of disk and datasets."""
    times: dict[str, list[float]] = {name: [] for name in LIMITS}
    for round_ in range(2 if quick else 1 + TIMES):
        new = {
            "fewstep --help": _help("--help"),
            "fewstep train --help": _help("train", "--help"),
            "first meta-iteration": _first_meta_iteration(),
        }
        for name in times if round_ else ():
            times[name].append(new[name])
    return {
        "train": " ".join(["fewstep", *TRAIN]),
        "seconds": {name: quartiles(values) for name, values in times.items()},
        "limits": LIMITS,
    }


def markdown(figures: dict[str, Any]) -> str:
    """A row a command, beside its limit."""
    body = [
        [name, f"{middle:.2f} ({low:.2f} to {high:.2f})", f"{LIMITS[name]:g}"]
        for name, (low, middle, high) in figures["seconds"].items()
    ]
    text = table(["from the command to", "seconds (quartiles)", "limit"], body)
    return f"## Start\n\n{text}\n\nThe training is `{figures['train']}`.\n"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether each keeps within its limit."""
    return {
        f"{name} within {LIMITS[name]:g} s": middle <= LIMITS[name]
        for name, (_, middle, _) in figures["seconds"].items()
    }


def _help(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "fewstep.cli", *words], check=True, capture_output=True)
    return time.perf_counter() - began


def _first_meta_iteration() -> float:
    """Until metrics.csv has the first meta-iteration's row, which is written when it is done."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fewstep.cli", *TRAIN, f"hydra.run.dir={folder}/run"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            file = Path(folder) / "run" / "metrics.csv"
            while not (file.exists() and len(file.read_text().splitlines()) > 1):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise RuntimeError(f"{' '.join(command)}: no meta-iteration was logged")
                time.sleep(0.01)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()
