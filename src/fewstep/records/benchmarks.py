"""What a benchmark's results are shown beside."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.messages.columns import aligned
from fewstep.records import measures
from fewstep.records.results import read_per_task
from fewstep.records.statistics.student import half_width


Row = dict[str, Any]
"""`name`, `error` (a fraction), `half_width` (of its 95 % interval, or None), `training`."""

BACKGROUND = "images_background as it is"
LAKE: tuple[Row, ...] = tuple(
    {"name": name, "error": error, "half_width": None, "training": training}
    for name, error, training in (
        ("Bayesian program learning (Lake et al. 2015)", 0.033, "images_background, pen strokes"),
        ("people (Lake et al. 2015)", 0.045, ""),
        ("Siamese net (Koch et al. 2015)", 0.080, "with distortions"),
        ("convolutional net (Lake et al. 2019)", 0.135, BACKGROUND),
        ("prototypical net (Lake et al. 2019)", 0.137, BACKGROUND),
    )
)
"""Published errors on the twenty runs of the Omniglot challenge."""


def training(turned: bool, elsewhere: Mapping[str, Any] | None, begun: str | None = None) -> str:
    """What a checkpoint was trained on.

    Args:
        turned: whether its own dataset, whatever it is tested on, has turned characters.
        elsewhere: what results.json says of it where that is other data.
        begun: the weights that it began from, where these have met other classes.
    """
    own = "images_background, turned as well" if turned else BACKGROUND
    said = own if elsewhere is None else str(elsewhere["dataset"])
    return f"{said}, after init={begun}" if begun else said


def by_run(accuracies: Sequence[float]) -> tuple[float, float]:
    """The mean error and the half-width of its 95 % interval, of runs as clusters: the decisions of
    a run share an alphabet and twenty drawings, and are no independent ones."""
    errors = [1 - accuracy for accuracy in accuracies]
    deviation = statistics.stdev(errors) / len(errors) ** 0.5
    return statistics.fmean(errors), half_width(deviation, len(errors) - 1)


def lake(results: Iterable[Mapping[str, Any]], folder: Path, training: str) -> list[Row]:
    """The table of the challenge with what was measured in it, least errors first.

    Args:
        results: entries of results.json.
        folder: the run directory, which has their per-task files.
        training: what was done to the characters that it was trained on.
    """
    own = []
    for entry in results:
        error, half = by_run(read_per_task(folder / entry["per_task_file"])["acc"])
        steps = "1 step" if entry["steps"] == 1 else f"{entry['steps']} steps"
        copies = measures.copies(entry.get("shift", 0))
        name = f"this checkpoint, {entry['protocol']}, {steps}"
        name += f", {copies} copies of each picture" if copies > 1 else ""
        own.append({"name": name, "error": error, "half_width": half, "training": training})
    return sorted([*LAKE, *own], key=lambda row: row["error"])


def text(rows: Iterable[Row]) -> str:
    """The table, for people."""
    cells = [["errors of 400", "95 % by run", "who", "trained on"]]
    for row in rows:
        half = row["half_width"]
        between = "" if half is None else f"± {100 * half:.1f}"
        cells.append([f"{100 * row['error']:.1f} %", between, row["name"], row["training"]])
    return aligned(cells)
