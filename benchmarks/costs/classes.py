"""A dataset of 100,000 classes beside one of 1,000: to make, to open, and for a meta-iteration."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from costs.record import MIB, in_own_process, table
from fewstep.bench.clocks import in_turn, quartiles
from fewstep.bench.memory import process_peak
from fewstep.bench.subject import BareLoop, open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.data.glyphs import Glyphs
from fewstep.run.construction.assembly import assemble


CLASSES, QUICK = (1_000, 100_000), (200, 2_000)
ROUNDS, TURN_SECONDS = 15, 0.5
MOST, SLOWER = 1.05, 2.0
"""With many classes, of the time that it takes with few: a meta-iteration, and opening them."""


def measure(quick: bool) -> dict[str, Any]:
    """Everything in a cache of its own, which is removed again."""
    few, many = QUICK if quick else CLASSES
    with tempfile.TemporaryDirectory() as cache:
        made, opened = (
            {
                str(n): in_own_process("costs.classes", str(n), FEWSTEP_CACHE=cache)
                for n in (few, many)
            }
            for _ in range(2)
        )
        disk = {n: sum(f.stat().st_size for f in Path(cache).iterdir()) for n in (many,)}[many]
        training = in_own_process(
            "costs.classes", str(few), str(many), str(2 if quick else ROUNDS), FEWSTEP_CACHE=cache
        )
    return {"classes": [few, many], "made": made, "opened": opened, "disk": disk, **training}


def markdown(figures: dict[str, Any]) -> str:
    """A row a dataset, and the ratio of the meta-iterations."""
    body = [
        [
            f"{n:,}",
            f"{figures['made'][str(n)]['seconds']:.1f}",
            f"{figures['made'][str(n)]['process_peak'] / MIB:.0f}",
            f"{figures['opened'][str(n)]['seconds']:.3f}",
            f"{1e3 * figures['seconds'][i][1]:.2f}",
        ]
        for i, n in enumerate(figures["classes"])
    ]
    head = ["classes", "to make, s", "process grew by, MiB", "to open again, s",
            "meta-iteration, ms"]  # fmt: skip
    low, middle, high = figures["ratio"]
    return (
        f"## Many classes\n\n{table(head, body)}\n\nA meta-iteration (the paper's Reptile) with "
        f"the many takes {middle:.3f} ({low:.3f} to {high:.3f}) times that with the few, medians "
        f"and quartiles of the rounds' ratios. Both together take {figures['disk'] / MIB:.0f} MiB "
        "of disk.\n"
    )


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether many classes cost what few do, once they are made."""
    few, many = (figures["opened"][str(n)]["seconds"] for n in figures["classes"])
    return {
        f"a meta-iteration takes at most {MOST:g} times as long": figures["ratio"][1] <= MOST,
        f"they open in at most {SLOWER:g} times the time": many <= SLOWER * few,
    }


def open_dataset(classes: int) -> dict[str, float]:
    """Seconds and memory that opening the dataset takes; making it, where it is not there yet."""
    began = time.perf_counter()
    grown = process_peak(lambda: Glyphs(classes=classes).open(), torch.device("cpu"))
    return {"seconds": time.perf_counter() - began, "process_peak": grown}


def train_in_turn(classes: list[int], rounds: int) -> dict[str, Any]:
    """Meta-iterations with each dataset in turn."""
    words = [["trainer=cpu", f"dataset.classes={n}"] for n in classes]
    turns = {
        str(n): BareLoop(open_subject(assemble(plain(compose_config("train", w)))))
        for n, w in zip(classes, words, strict=True)
    }
    times = in_turn(turns, torch.device("cpu"), rounds, TURN_SECONDS)
    few, many = (times[str(n)] for n in classes)
    ratio = quartiles([b / a for a, b in zip(few, many, strict=True)])
    return {"seconds": [quartiles(few), quartiles(many)], "ratio": ratio}


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:]]
    one = len(counts) == 1
    print(json.dumps(open_dataset(*counts) if one else train_in_turn(counts[:2], counts[2])))
