"""Does the interval of `Classifier.evaluate` hold what it promises, and do probabilities?

    python -m hands.coverage glyphs            # the shipped initialization, five classes of five
    python -m hands.coverage caltech FILE      # prototypes on frozen features; FILE has the weights

A hundred times: five classes of five pictures, the interval from leaving them out, and the accuracy
on ten others of each class. Says how often the interval holds it, how wide it is beside Wilson's at
as many pictures, and the calibration error of the others' probabilities with and without the
temperature. Writes benchmarks/results/hands_coverage_NAME.json.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.data.glyphs import Glyphs
from fewstep.data.images.decode import USUAL
from fewstep.records.intervals import wilson
from fewstep.use.classifier import Classifier
from fewstep.use.loading import load
from fewstep.use.pictures import by_class, prepared
from hands import report


WAYS, SHOTS, OTHERS, TIMES, BINS, SEED = 5, 5, 10, 100, 10, 0

Task = tuple[Tensor, list[int], Tensor, Tensor]
"""Pixels and labels that are given, pixels and labels that are asked."""


def main() -> None:
    """Measure one kind of classifier."""
    parser = argparse.ArgumentParser(prog="python -m hands.coverage", description=__doc__)
    parser.add_argument("name", choices=("glyphs", "caltech"))
    parser.add_argument("weights", nargs="?", help="of tf_efficientnet_lite0")
    given = parser.parse_args()
    init, pixels = _glyphs() if given.name == "glyphs" else _caltech(given.weights)
    figures = covered(init, pixels)
    command = f"python -m hands.coverage {given.name}"
    about = {"ways": WAYS, "shots": SHOTS, "times": TIMES, "seed": SEED}
    print(figures)
    report.write(f"coverage_{given.name}", command, about, [figures])


def covered(init: Any, pixels: dict[int, Tensor]) -> dict[str, float]:
    """How often the interval holds the accuracy on others, and what else is to be said."""
    held, widths, plain, before, after = 0, [], [], [], []
    for time in range(TIMES):
        x, labels, others, truth = _task(pixels, time)
        classifier: Classifier = init.adapt_kept(x, labels)
        chances = classifier.probabilities(others)
        found = classifier.evaluate()
        assert found.interval is not None
        low, high = found.interval
        before.append((chances, truth))
        after.append((torch.softmax(chances.log() / found.temperature, 1), truth))
        accuracy = float((chances.argmax(1) == truth).float().mean())
        held += low <= accuracy <= high
        widths.append(high - low)
        ends = wilson(round(accuracy * found.of), found.of)
        plain.append(ends[1] - ends[0])
        print(f"{time}: {accuracy:.3f} in {low:.3f} to {high:.3f}", flush=True)
    return {
        "held": held / TIMES,
        "width": float(np.mean(widths)),
        "width_beside_wilson": float(np.mean(widths) / np.mean(plain)),
        "calibration_error_before": calibration_error(before),
        "calibration_error_after": calibration_error(after),
    }


def calibration_error(answers: list[tuple[Tensor, Tensor]]) -> float:
    """Expected calibration error: the gap of confidence and accuracy over ten bins (Guo 2017)."""
    chances = torch.cat([p for p, _ in answers])
    truth = torch.cat([t for _, t in answers])
    sure, told = chances.max(1)
    right, gap = (told == truth).double(), 0.0
    for i in range(BINS):
        inside = (sure > i / BINS) & (sure <= (i + 1) / BINS)
        if inside.any():
            gap += float(
                inside.double().mean() * (sure[inside].mean() - right[inside].mean()).abs()
            )
    return gap


def _task(pixels: dict[int, Tensor], time: int) -> Task:
    rng = np.random.default_rng([SEED, time])
    x, others = [], []
    for c in rng.choice(sorted(pixels), WAYS, replace=False):
        order = torch.from_numpy(rng.permutation(len(pixels[c])))
        x.append(pixels[c][order[:SHOTS]])
        others.append(pixels[c][order[SHOTS : SHOTS + OTHERS]])
    labels = [i for i in range(WAYS) for _ in range(SHOTS)]
    truth = torch.arange(WAYS).repeat_interleave(OTHERS)
    return torch.cat(x), labels, torch.cat(others), truth


def _glyphs() -> tuple[Any, dict[int, Tensor]]:
    split = Glyphs().open()["test"]
    rows = split.pixels.permute(0, 2, 3, 1)
    pixels = {
        int(c): rows[split.starts[c] : split.starts[c] + split.counts[c]] for c in split.classes
    }
    return load("glyphs"), pixels


def _caltech(weights: str) -> tuple[Any, dict[int, Tensor]]:
    from fewstep.use.backbone.backbone import Backbone

    init = Backbone.named("tf_efficientnet_lite0", weights, 160)
    found = by_class(os.path.join(os.environ["FEWSTEP_DATA"], "caltech84.zip"))
    chosen = [some[:40] for some in found.values() if len(some) >= SHOTS + OTHERS][:60]
    return init, {c: prepared(some, init.preparation, USUAL) for c, some in enumerate(chosen)}


if __name__ == "__main__":
    main()
