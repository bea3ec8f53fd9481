"""Does the interval of `Classifier.evaluate` hold what it promises, and do probabilities?

    python -m hands.coverage glyphs            # the shipped initialization, five classes of five
    python -m hands.coverage caltech FILE      # prototypes on frozen features; FILE has the weights

A hundred times: five classes of five pictures, the interval from leaving them out, and the accuracy
on fifty others of each class, so many that it is as good as known. Says how often the interval
holds it, how wide it is beside Wilson's at as many pictures, how far the left-out share lies from
it, and the calibration error of the others' probabilities with and without the temperature. Writes
benchmarks/results/hands_coverage_NAME.json.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fewstep.data.glyphs import Glyphs
from fewstep.data.images.decode import USUAL
from fewstep.records.intervals import wilson
from fewstep.use.backbone.backbone import Backbone
from fewstep.use.classifier import Classifier
from fewstep.use.loading import load
from fewstep.use.pictures import by_class, prepared
from fewstep.use.way import Way
from hands import report


WAYS, SHOTS, OTHERS, TIMES, BINS, SEED = 5, 5, 50, 100, 10, 0

Task = tuple[Tensor, Tensor, Tensor, Tensor]
"""Examples and classes that are given, examples and classes that are asked."""


def main() -> None:
    """Measure one kind of classifier."""
    parser = argparse.ArgumentParser(prog="python -m hands.coverage", description=__doc__)
    parser.add_argument("name", choices=("glyphs", "caltech"))
    parser.add_argument("weights", nargs="?", help="of tf_efficientnet_lite0")
    given = parser.parse_args()
    way, kept = _glyphs() if given.name == "glyphs" else _caltech(given.weights)
    figures = covered(way, kept)
    command = f"python -m hands.coverage {given.name}"
    about = {"ways": WAYS, "shots": SHOTS, "times": TIMES, "seed": SEED}
    print(figures)
    report.write(f"coverage_{given.name}", command, about, [figures])


def covered(way: Way, kept: dict[int, Tensor]) -> dict[str, float]:
    """How often the interval holds the accuracy on others, and what else is to be said."""
    held, widths, plain, gaps, before, after = 0, [], [], [], [], []
    for time in range(TIMES):
        x, labels, others, truth = _task(kept, time)
        classifier = Classifier.learned(way, range(WAYS), x, labels)
        chances = classifier.probabilities(others)
        found = classifier.evaluate()
        assert found.interval is not None
        assert found.accuracy is not None
        low, high = found.interval
        before.append((chances, truth))
        after.append((torch.softmax(chances.log() / found.temperature, 1), truth))
        accuracy = float((chances.argmax(1) == truth).float().mean())
        held += low <= accuracy <= high
        gaps.append(found.accuracy - accuracy)
        widths.append(high - low)
        ends = wilson(found.right, found.of)
        plain.append(ends[1] - ends[0])
        print(f"{time}: {accuracy:.3f}, {found.accuracy:.2f} in {low:.3f} to {high:.3f}")
    return {
        "held": held / TIMES,
        "width": float(np.mean(widths)),
        "width_beside_wilson": float(np.mean(widths) / np.mean(plain)),
        "left_out_minus_others": float(np.mean(gaps)),
        "left_out_minus_others_std": float(np.std(gaps)),
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


def _task(kept: dict[int, Tensor], time: int) -> Task:
    rng = np.random.default_rng([SEED, time])
    x, others = [], []
    for c in rng.choice(sorted(kept), WAYS, replace=False):
        order = torch.from_numpy(rng.permutation(len(kept[c])))
        x.append(kept[c][order[:SHOTS]])
        others.append(kept[c][order[SHOTS : SHOTS + OTHERS]])
    labels = torch.arange(WAYS).repeat_interleave(SHOTS)
    truth = torch.arange(WAYS).repeat_interleave(OTHERS)
    return torch.cat(x), labels, torch.cat(others), truth


def _glyphs() -> tuple[Way, dict[int, Tensor]]:
    split = Glyphs(drawings=SHOTS + OTHERS).open()["test"]
    rows = split.pixels.permute(0, 2, 3, 1)
    kept = {
        int(c): rows[split.starts[c] : split.starts[c] + split.counts[c]] for c in split.classes
    }
    return load("glyphs").way(), kept


def _caltech(weights: str) -> tuple[Way, dict[int, Tensor]]:
    """Features in the place of pictures, so that each picture goes through the network once."""
    backbone = Backbone.named("tf_efficientnet_lite0", weights, 160)
    way = backbone.way()
    found = by_class(os.path.join(os.environ["FEWSTEP_DATA"], "caltech84.zip"))
    chosen = [some[: SHOTS + OTHERS] for some in found.values() if len(some) >= SHOTS + OTHERS]
    kept = {
        c: way.represented(prepared(some, backbone.preparation, USUAL))
        for c, some in enumerate(chosen)
    }
    return replace(way, preparation=None, represent=None, features=None), kept


if __name__ == "__main__":
    main()
