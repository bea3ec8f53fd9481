"""Which iterate meta-validation chose: its figures and its tensors are one file, best.ckpt.

A run that was killed may have left a best.ckpt that is newer than the checkpoint it goes on from,
and may go on otherwise than before (a longer schedule, other `eval.*`, another execution). So
what best.ckpt says of itself counts, and nobody else's memory of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fewstep.disk.files import replacing
from fewstep.messages.errors import ConfigError
from fewstep.records.statistics.intervals import finite
from fewstep.run.construction import build
from fewstep.run.stored import checkpoint


Figures = dict[str, float]
"""Of one meta-validation: `acc` where there is one, its half-width, `loss`, `meta_iteration`."""

NAMES = ("acc", "loss", "meta_iteration")
"""What two meta-validations are told apart by; a half-width may be not a number."""


class Chosen(NamedTuple):
    """The best iterate so far."""

    figures: Figures
    """Empty where there is none."""
    comparable: bool = True
    """Whether it was measured as this run measures: else the next measurement replaces it."""


def better(new: Mapping[str, float], best: Mapping[str, float]) -> bool:
    """More accuracy, or for regression less loss; what is not finite is never better.

    An accuracy beside a loss that is not a number is what a diverged network guesses.
    """
    if not _whole(new):
        return False
    if not _whole(best):
        return True
    return new["acc"] > best["acc"] if "acc" in new else new["loss"] < best["loss"]


def _whole(figures: Mapping[str, float]) -> bool:
    return bool(figures) and finite(*(figures[name] for name in NAMES if name in figures))


def figures_of(content: Mapping[str, Any]) -> Figures:
    """What a checkpoint knows of the best meta-validation; nothing where it is not finite."""
    found = content.get("callbacks", {}).get("Checkpoints", {})
    return dict(found) if _whole(found) else {}


def selected_by(content: Mapping[str, Any]) -> dict[str, Any]:
    """For results.json: the meta-validation by which a best.ckpt was chosen, as it says itself."""
    setting = build.build_test(_config(content)).settings[0]
    return {
        "split": "val",
        "shots": setting.spec.shots,
        "steps": setting.spec.steps,
        "protocol": setting.protocols[0],
        **figures_of(content),
    }


def held(path: Path, source: Path, figures: Figures, measured: tuple[Any, ...]) -> Chosen:
    """What a run that goes on from `source` may call its best, with its file at `path`, if it is
    `measured` by this `criterion`.

    The file with these figures is the one at `path`, `source` itself, or the one beside it. Where
    there is none, the tensors are lost (or those of a stretch that this run does not have), and
    the next meta-validation is the first to count.
    """
    for file in dict.fromkeys((path, source, source.with_name(path.name))):
        content = _read(file)
        own = figures_of(content)
        if own and _same(own, figures) and content["fewstep"]["meta_iteration"] == _place(own):
            if file != path:
                with replacing(path) as aside:
                    shutil.copyfile(file, aside)
            config = _config(content)
            theirs = build.build_test(config).criterion(build.build_schedule(config))
            return Chosen(own, theirs == measured)
    return Chosen({})


def _config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return content["fewstep"]["config"]


def _read(file: Path) -> dict[str, Any]:
    try:
        return checkpoint.read(file) if file.exists() else {}
    except ConfigError:
        return {}


def _same(one: Figures, other: Figures) -> bool:
    return all(one.get(name) == other.get(name) for name in NAMES)


def _place(figures: Figures) -> float | None:
    return figures.get("meta_iteration")
