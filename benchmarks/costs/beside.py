"""Joint training and combinations beside Reptile: whole meta-iterations, of as many gradients each,
in turns of one process, so that the ratio does not hang on the machine."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from costs.record import in_own_process, table
from fewstep.bench.subject import BareLoop, open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.run.construction.assembly import assemble


ROUNDS, QUICK, EACH = 60, 3, 3
"""Rounds, and meta-iterations of each algorithm in a round."""
MOST = 1.1
"""Of Reptile's time."""
SAME = ["dataset=glyphs", "model=omniglot_conv", "trainer=cpu", "algorithm.meta_batch=5",
        "algorithm.train_shots=10", "algorithm.inner.steps=5", "algorithm.inner.batch_size=10",
        "algorithm.inner.loss=mean", "algorithm.inner.state=carry"]  # fmt: skip
ADAM = ["algorithm.inner.rule=adam", "algorithm.inner.lr=0.001"]
SGD = ["algorithm.inner.rule=sgd", "algorithm.inner.lr=0.1"]
COMBINATION = ["algorithm=combination", "algorithm.weights=[1,1,1,1,1]"]
ROWS = {
    "Reptile, Adam": ["algorithm=reptile", *ADAM],
    "joint, Adam": ["algorithm=joint", *ADAM],
    "combination, Adam": [*COMBINATION, *ADAM],
    "Reptile, SGD": ["algorithm=reptile", *SGD],
    "combination, SGD": [*COMBINATION, *SGD],
}


def measure(quick: bool) -> dict[str, Any]:
    """Of each, the median over the rounds of its time over Reptile's, with quartiles."""
    rounds = str(QUICK if quick else ROUNDS)
    return {"overrides": SAME, "rows": in_own_process("costs.beside", rounds)}


def markdown(figures: dict[str, Any]) -> str:
    """A row an algorithm."""
    rows = figures["rows"]
    body = [
        [name, f"{1e3 * row['seconds']:.1f}", "{1:.2f} ({0:.2f} to {2:.2f})".format(*row["ratio"])]
        for name, row in rows.items()
    ]
    head = ["5 tasks of 5 steps on 10 images", "ms, median", "of Reptile's (quartiles)"]
    return f"## Beside Reptile\n\n{table(head, body)}\n"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether each keeps within `MOST`."""
    return {
        f"{name} takes at most {MOST} times Reptile's": row["ratio"][1] <= MOST
        for name, row in figures["rows"].items()
        if not name.startswith("Reptile")
    }


def all_of(rounds: int) -> dict[str, Any]:
    """Seconds a meta-iteration of each, and their ratios by rounds, each begun by another."""
    loops = {
        name: BareLoop(open_subject(assemble(plain(compose_config("train", [*words, *SAME])))))
        for name, words in ROWS.items()
    }
    names, times = list(loops), {name: [] for name in loops}
    for loop in loops.values():
        loop()  # writes its program
    for round_ in range(rounds):
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            for _ in range(EACH):
                loops[name]()
            times[name].append((time.perf_counter() - began) / EACH)
    return {
        name: {
            "seconds": statistics.median(times[name]),
            "ratio": statistics.quantiles(
                [a / b for a, b in zip(times[name], times[_reptile(name)], strict=True)]
            ),
        }
        for name in names
    }


def _reptile(name: str) -> str:
    """The row that it is held against: under the same rule."""
    return f"Reptile, {name.rpartition(' ')[2]}"


if __name__ == "__main__":
    print(json.dumps(all_of(int(sys.argv[1]))))
