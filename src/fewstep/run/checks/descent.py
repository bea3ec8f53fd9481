"""Inner steps that are known beforehand to blow up."""

from __future__ import annotations

import math
from dataclasses import replace

from fewstep.adapters.curvature import largest_curvature
from fewstep.adapters.path import Path
from fewstep.core.rules import Rule
from fewstep.core.types import Split
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import RULE, answered, named
from fewstep.run.experiment import Experiment


TRIED = 8
"""Training tasks whose curvature is looked at."""


def check_descent(experiment: Experiment, split: Split) -> None:
    """Refuse inner steps of which the rule itself says that they blow up on the first tasks, which
    the network is known to take.

    Raises:
        ConfigError: naming what is too large and what it comes to.
    """
    inner, learner = experiment.recipe.algorithm.inner, experiment.learner
    worst = _complaint(inner.rule, math.inf)
    if worst is None:  # whatever the tasks, which need not be looked at
        return
    if worst == _complaint(inner.rule, 0.0):
        raise ConfigError(worst)
    one, spec = replace(inner, steps=1), replace(experiment.recipe.spec, steps=1)
    split = split.to("cpu", next(learner.parameters()).dtype)
    for index in range(min(TRIED, experiment.schedule.meta_batch)):
        path = Path(one, learner.problem, learner.start(), split.episode(spec, 0, index))
        if complaint := _complaint(inner.rule, float(largest_curvature(path))):
            raise ConfigError(complaint)


def _complaint(rule: Rule, curvature: float) -> str | None:
    name = f"{named(rule, RULE)}: its overshoots"
    found = answered(name, lambda: rule.overshoots(curvature))
    if found is not None and not isinstance(found, str):
        raise ConfigError(
            f"{name} gives {found!r} at a curvature of {curvature:.3g}, and must give why its "
            "steps blow up as a text, or None. For example return None"
        )
    return found or None
