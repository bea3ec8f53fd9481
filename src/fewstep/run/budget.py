"""How many meta-iterations a budget makes, which hangs on what the algorithm's tasks cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.config.budget import KEY, LENGTH, asked
from fewstep.config.checks import LARGEST
from fewstep.config.limits import check_training
from fewstep.messages.errors import ConfigError
from fewstep.run.build import build_spec
from fewstep.run.parts import build_algorithm
from fewstep.run.work import work_of


Config = Mapping[str, Any]


def meta_iterations(config: Config) -> int:
    """How many whole meta-iterations the budget of a configuration is.

    Raises:
        ConfigError: a configuration that cannot run, or a budget that is not enough for one.
    """
    check_training({**config, LENGTH: LARGEST})  # the one value that is not to be looked at
    budget = asked(config)
    assert budget, "it has no budget"
    (unit, amount), node, tasks = budget, config["algorithm"], config["meta_batch"]
    algorithm = build_algorithm(node)
    spec = build_spec(algorithm, config["shots"])
    work = work_of(algorithm, spec, config["dataset"].get("points"))
    each = {"tasks": 1, **work._asdict()}[unit]
    least = tasks * each
    if amount < least:
        of_each = "" if unit == "tasks" else f" of {each} {unit}"
        raise ConfigError(
            f"{KEY}.{unit}={amount}: must be at least {least}, one meta-iteration of {node['name']}"
            f" (meta_batch={tasks} tasks{of_each}). Use {KEY}.{unit}={least} or more"
        )
    return amount // least
