"""What settling a run has built and tried is what the run uses, in the same process.

So a preflight costs a run nothing: the programs that it wrote are there already, written at the
values that the run's seed gives, whether the run begins or goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fewstep.run import checkpoint
from fewstep.run.assembly import assemble
from fewstep.run.experiment import Experiment


_KEPT: list[Experiment] = []
"""One at most: the last that was settled."""


def keep(experiment: Experiment) -> None:
    """Keep an experiment that has not begun, for the run of its configuration."""
    _KEPT[:] = [experiment]


def taken(config: Mapping[str, Any]) -> Experiment:
    """The experiment that was kept for this very configuration, once; else it is built.

    Raises:
        ConfigError: as `assemble` does.
    """
    kept = _KEPT.pop() if _KEPT else None
    resume = config.get("resume")
    path = checkpoint.find(resume, "resume") if resume else None
    if not kept or {**kept.config, "resume": resume} != config or not _same(kept.resume, path):
        return assemble(config)
    kept.learner.config = dict(config)  # which names the checkpoint that it goes on from in full
    return replace(kept, config=config, resume=path)


def _same(one: Path | None, other: Path | None) -> bool:
    return (one and one.resolve()) == (other and other.resolve())
