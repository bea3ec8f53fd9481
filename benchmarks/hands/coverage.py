"""Does the interval of `Classifier.evaluate` hold what it promises, and do probabilities?

    python -m hands.coverage glyphs test       # a shipped initialization, five classes of five
    python -m hands.coverage caltech test      # prototypes on frozen features

A hundred times: five classes of five pictures, the share of them that is told right when left out,
and the accuracy on fifty others of each class, so many that it is as good as known (of Omniglot,
which has no more, on fifteen). Says how often
the interval holds it, how wide it is beside Wilson's of as many pictures, and the calibration error
of the others' probabilities with and without the temperature. The interval was chosen on `val`, the
figures are those of `test`: other characters, and the other half of the photographs' classes.
Writes benchmarks/results/hands_coverage_NAME_PART.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.data.classes.split import ClassSplit
from fewstep.data.glyphs import Glyphs
from fewstep.data.images.decode import USUAL
from fewstep.data.omniglot import Omniglot
from fewstep.records.results import write_json
from fewstep.records.statistics.intervals import wilson
from fewstep.run.stored import shipped
from fewstep.use.backbone.backbone import Backbone
from fewstep.use.classifier import Classifier
from fewstep.use.expected import interval
from fewstep.use.loading import load
from fewstep.use.pictures import by_class, prepared
from fewstep.use.way import Way
from hands import report, weights


WAYS, SHOTS, OTHERS, TIMES, BINS, SEED = 5, 5, 50, 100, 10, 0

Task = tuple[Tensor, Tensor, Tensor, Tensor]
"""Examples and classes that are given, examples and classes that are asked."""


def main() -> None:
    """Measure one kind of classifier."""
    parser = argparse.ArgumentParser(prog="python -m hands.coverage", description=__doc__)
    parser.add_argument("name", choices=KEPT)
    parser.add_argument("part", choices=("val", "test"))
    given = parser.parse_args()
    way, kept = KEPT[given.name](given.part)
    rows, errors = measured(way, kept)
    about = {"ways": WAYS, "shots": SHOTS, "others": OTHERS, "seed": SEED}
    about |= {"calibration_error": errors, **verdict(rows)}
    print(about)
    command = f"python -m hands.coverage {given.name} {given.part}"
    report.write(f"coverage_{given.name}_{given.part}", command, about, rows)
    if given.part == "test" and given.name in shipped.names():
        _into_card(given.name, errors)


def measured(way: Way, kept: dict[int, Tensor]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """What was told right when left out, and the accuracy on others, each time; and how far the
    others' probabilities are off, before and after the temperature."""
    rows, before, after = [], [], []
    for time in range(TIMES):
        x, labels, others, truth = _task(kept, time)
        classifier = Classifier.learned(way, range(WAYS), x, labels)
        chances = classifier.probabilities(others)
        found = classifier.evaluate()
        before.append((chances, truth))
        after.append((torch.softmax(chances.log() / found.temperature, 1), truth))
        accuracy = float((chances.argmax(1) == truth).double().mean())
        rows.append({"right": found.right, "of": found.of, "accuracy": accuracy})
        print(time, rows[-1], flush=True)
    return rows, {"before": calibration_error(before), "after": calibration_error(after)}


def verdict(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How often the interval holds the accuracy, its mean width beside Wilson's, and how far the
    left-out share lies from the accuracy."""
    ends = [interval(row["right"], row["of"]) for row in rows]
    plain = [wilson(row["right"], row["of"]) for row in rows]
    gaps = [row["right"] / row["of"] - row["accuracy"] for row in rows]
    width, usual = (float(np.mean([b - a for a, b in some])) for some in (ends, plain))
    return {
        "held": _held(rows, ends),
        "wilson_held": _held(rows, plain),
        "width": width,
        "width_beside_wilson": width / usual,
        "left_out_minus_others": float(np.mean(gaps)),
        "scatter": float(np.std(gaps)),
    }


def _held(rows: Sequence[Mapping[str, Any]], ends: Sequence[tuple[float, float]]) -> float:
    inside = [a <= row["accuracy"] <= b for row, (a, b) in zip(rows, ends, strict=True)]
    return float(np.mean(inside))


def table() -> str:
    """What the files of `test` say: a row a kind of classifier."""
    head = ["", "the interval holds", "Wilson's", "width beside Wilson's", "left out - others"]
    lines = [[*head, "calibration error", "after"], ["---", *("--:" for _ in range(6))]]
    for name in KEPT:
        told = json.loads((report.RESULTS / f"hands_coverage_{name}_test.json").read_text())
        of, errors = f"of {len(told['rows'])}", told["calibration_error"]
        held = [f"{round(told[key] * len(told['rows']))} {of}" for key in ("held", "wilson_held")]
        gap = f"{100 * told['left_out_minus_others']:+.1f} ± {100 * told['scatter']:.1f}"
        cells = [*held, f"{told['width_beside_wilson']:.2f}", gap]
        lines.append([name, *cells, *(f"{errors[k]:.3f}" for k in ("before", "after"))])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
    truth = torch.arange(WAYS).repeat_interleave(len(others[0]))
    return torch.cat(x), labels, torch.cat(others), truth


def _into_card(name: str, errors: Mapping[str, float]) -> None:
    """Calibration errors, in the words of a card."""
    file = shipped.FOLDER / f"{name}.json"
    about = json.loads(file.read_text())
    about["calibration"] = (
        f"expected calibration error {errors['before']:.3f} as adapted, {errors['after']:.3f} "
        f"after `evaluate`, on others of {TIMES} tasks ({WAYS}-way {SHOTS}-shot)"
    )
    write_json(file, about)


def _glyphs(part: str) -> tuple[Way, dict[int, Tensor]]:
    return load("glyphs").way(), _of(Glyphs(drawings=SHOTS + OTHERS).open()[part])


def _omniglot(part: str) -> tuple[Way, dict[int, Tensor]]:
    splits: Any = Omniglot(os.environ["FEWSTEP_DATA"], rotations=False).open()
    kept = _of(splits[part])  # 0 and 1
    return load("omniglot").way(), {c: 255 * pixels for c, pixels in kept.items()}


def _of(split: ClassSplit) -> dict[int, Tensor]:
    rows = split.pixels.permute(0, 2, 3, 1)
    starts, counts = split.starts, split.counts
    return {int(c): rows[starts[c] : starts[c] + counts[c]] for c in split.classes}


def _caltech(part: str) -> tuple[Way, dict[int, Tensor]]:
    """Features in the place of pictures, so that each picture goes through the network once."""
    with tempfile.TemporaryDirectory() as folder:
        file = weights.write(Path(folder) / "lite0.safetensors")
        backbone = Backbone.named(weights.NAME, file, 160)
    way = backbone.way()
    found = by_class(os.path.join(os.environ["FEWSTEP_DATA"], "caltech84.zip"))
    chosen = [some[: SHOTS + OTHERS] for some in found.values() if len(some) >= SHOTS + OTHERS]
    chosen = chosen[part == "test" :: 2]
    kept = {
        c: way.represented(prepared(some, backbone.preparation, USUAL))
        for c, some in enumerate(chosen)
    }
    return replace(way, preparation=None, represent=None, features=None), kept


KEPT = {"glyphs": _glyphs, "omniglot": _omniglot, "caltech": _caltech}
"""How its classifiers are learned, and examples by class."""


if __name__ == "__main__":
    main()
