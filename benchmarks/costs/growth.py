"""How the time of a meta-iteration grows with the tasks, the inner steps and the ways."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch

from costs.record import table
from fewstep.bench.clocks import in_turn, quartiles
from fewstep.bench.subject import BareLoop, open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.run.construction.assembly import assemble


BASE = ["trainer=cpu", "meta_batch=4", "algorithm.inner.steps=5", "algorithm.inner.batch_size=10"]
AXES = {
    "tasks": ([4, 8, 16, 32], lambda n: [f"meta_batch={n}"]),
    "inner steps": ([5, 10, 20, 40], lambda n: [f"algorithm.inner.steps={n}"]),
    "ways": (
        [5, 10, 20, 40],
        lambda n: [f"shots.ways={n}", "shots.train_shots=2", "algorithm.inner.batch_size=null"],
    ),
}
"""What grows, its sizes, and the overrides for one; with the ways grows the whole support set,
which every inner step sees."""
ROUNDS, TURN_SECONDS = 7, 0.25
POWER = 1.1
"""Linear, and what clocks may add to it."""


def measure(quick: bool) -> dict[str, Any]:
    """Seconds of a meta-iteration at each size, all sizes of all axes in turn."""
    turns = {}
    for axis, (sizes, words) in AXES.items():
        for size in sizes[:2] if quick else sizes:
            config = plain(compose_config("train", [*BASE, *words(size)]))
            turns[f"{axis} {size}"] = BareLoop(open_subject(assemble(config)))
    rounds, seconds = (2, 0.0) if quick else (ROUNDS, TURN_SECONDS)
    times = in_turn(turns, torch.device("cpu"), rounds, seconds)
    return {"base": BASE, "axes": {axis: _axis(axis, times) for axis in AXES}}


def markdown(figures: dict[str, Any]) -> str:
    """A row a size, with the ratio to the size before and the exponent over all of them."""
    body = []
    for axis, found in figures["axes"].items():
        for size, (low, middle, high), ratio in zip(
            found["sizes"], found["seconds"], [None, *found["ratios"]], strict=True
        ):
            times = f"{1e3 * middle:.1f} ({1e3 * low:.1f} to {1e3 * high:.1f})"
            grown = f"{ratio[1]:.2f} ({ratio[0]:.2f} to {ratio[2]:.2f})" if ratio else ""
            body.append([axis, str(size), times, grown, f"{1e3 * middle / size:.2f}"])
    powers = ", ".join(f"{a} {f['exponent']:.2f}" for a, f in figures["axes"].items())
    head = ["what grows", "size", "ms (quartiles)", "over the row before", "ms each"]
    return (
        f"## Growth of a meta-iteration\n\n{table(head, body)}\n\nEach size is twice the one "
        f"before: linear is a ratio of 2 at most. Exponents from the first to the last: {powers}.\n"
    )


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether nothing grows faster than linearly."""
    return {
        f"the time grows with the {axis} by a power of at most {POWER}": found["exponent"] <= POWER
        for axis, found in figures["axes"].items()
    }


def _axis(axis: str, times: dict[str, list[float]]) -> dict[str, Any]:
    sizes = [int(name.split()[-1]) for name in times if name.startswith(axis)]
    rounds = [times[f"{axis} {size}"] for size in sizes]
    medians = [quartiles(seconds) for seconds in rounds]
    exponent = math.log(medians[-1][1] / medians[0][1]) / math.log(sizes[-1] / sizes[0])
    pairs = itertools.pairwise(rounds)
    ratios = [quartiles([b / a for a, b in zip(*pair, strict=True)]) for pair in pairs]
    return {"sizes": sizes, "seconds": medians, "ratios": ratios, "exponent": exponent}
