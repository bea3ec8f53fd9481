"""What settling a command has built and tried is what the command uses, in the same process.

So a preflight costs a run nothing: the programs that it wrote are there already, written at the
values that the run's seed gives, whether the run begins or goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fewstep.run.construction.assembly import assemble
from fewstep.run.experiment import Experiment
from fewstep.run.stored import checkpoint


_KEPT: list[tuple[Mapping[str, Any], Any]] = []
"""One at most: the last configuration that was settled, and what was made of it."""


def keep(config: Mapping[str, Any], made: Any) -> None:
    """Keep what was made of a configuration and has not begun."""
    _KEPT[:] = [(config, made)]


def kept(config: Mapping[str, Any]) -> Any | None:
    """What was kept for this very configuration, however it names the checkpoint that it goes on
    from; once."""
    own, made = _KEPT.pop() if _KEPT else ({}, None)
    return made if _located(own) == _located(config) else None


def taken(config: Mapping[str, Any]) -> Experiment:
    """The experiment that was kept for a training; else it is built.

    Raises:
        ConfigError: as `assemble` does.
    """
    experiment = kept(config)
    if experiment is None:
        return assemble(config)
    experiment.learner.config = dict(config)  # which names that checkpoint in full
    return replace(experiment, config=config, resume=_resumed(config))


def _located(config: Mapping[str, Any]) -> dict[str, Any]:
    path = _resumed(config)
    return {**config, "resume": path and path.resolve()}


def _resumed(config: Mapping[str, Any]) -> Path | None:
    resume = config.get("resume")
    return checkpoint.find(resume, "resume") if resume else None
