"""A search by meta-validation: that there is a figure to go by, and in which direction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from fewstep.core.objectives import Classification, Regression
from fewstep.core.problem import Problem
from fewstep.core.types import Examples
from fewstep.messages.errors import ConfigError
from fewstep.records import measures
from fewstep.run.construction.assembly import draft, opened
from fewstep.run.construction.build import build_schedule, build_source
from fewstep.run.experiment import Experiment, Schedule


Config = Mapping[str, Any]

KEY = "hydra.sweeper.direction"

BETTER = {"acc": "maximize", "loss": "minimize"}
"""Where a figure of meta-validation is better."""

WORDS = {"maximize": "more", "minimize": "less"}


def direction(configs: Sequence[Config], given: Any) -> str:
    """The override that has a search go where the figure of its trainings is better.

    Args:
        configs: of its trainings, as many as are known.
        given: the sweeper's own direction: a text where the user or a file of theirs has chosen
            it, anything else where it is the plugin's default.

    Raises:
        ConfigError: no validation to go by, figures of two kinds, or a direction in which the
            worst training would be named best.
    """
    for config in configs:
        _check_objective(build_schedule(config))
    kinds = {json.dumps(config.get("dataset"), sort_keys=True): config for config in configs}
    figures = {figure(c): build_source(c).name for c in kinds.values()}
    if len(figures) > 1:
        each = " and ".join(f"dataset={name} of {f}" for f, name in figures.items())
        raise ConfigError(
            f"a search goes by one figure, but the validation on {each} is better in another "
            "direction. Search on each by itself"
        )
    (found,) = figures
    right = BETTER[found]
    if isinstance(given, Sequence) and given != right:
        text = given if isinstance(given, str) else f"[{','.join(map(str, given))}]"
        raise ConfigError(
            f"{KEY}={text}: this search goes by the validation's {found}, of which "
            f"{WORDS[right]} is better; its worst training would be named best. Leave it out, or "
            f"use {KEY}={right}"
        )
    return f"{KEY}={right}"


def figure(config: Config) -> str:
    """What a training is judged by: `acc` where its dataset measures one, else `loss`.

    Raises:
        ConfigError: data or a network of the user's that cannot be tried.
    """
    experiment = draft(config)
    if isinstance(experiment.objective, (Classification, Regression)):
        return "acc" if isinstance(experiment.objective, Classification) else "loss"
    return measures.metric_of(_tried(opened(experiment)))


def _tried(experiment: Experiment) -> Mapping[str, Any]:
    """What a user's own objective measures, on one episode."""
    learner = experiment.learner
    split = experiment.splits["train"].to("cpu", next(learner.parameters()).dtype)
    episode = split.episode(experiment.recipe.spec, experiment.seed, 0)
    with torch.no_grad():
        problem = Problem(learner.net, experiment.objective)
        x, y, given = problem.support(episode)
        return problem.metrics(learner.net(learner.net.params(), x, given), Examples(x, y, given))


def _check_objective(schedule: Schedule) -> None:
    """Refuse a search by meta-validation where there is none."""
    every = schedule.val_every
    if every is None or every > schedule.max_meta_iterations:
        raise ConfigError(
            f"eval.val_every={every}: a search goes by meta-validation, at least once in a "
            "training of max_meta_iterations. For example eval.val_every=100"
        )
