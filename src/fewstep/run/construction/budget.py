"""How many meta-iterations a budget makes, which hangs on what the algorithm's tasks cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.config.budget import KEY, LENGTH, asked
from fewstep.config.checks import LARGEST
from fewstep.config.limits import check_training
from fewstep.messages.errors import ConfigError
from fewstep.run.construction.build import build_spec
from fewstep.run.construction.parts import build_algorithm
from fewstep.run.construction.work import Tasks


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
    if unit == "tasks":
        _check_enough(unit, amount, tasks, 1, node)
        return amount // tasks
    algorithm = build_algorithm(node)
    spec = build_spec(algorithm, config["shots"])
    work = Tasks(algorithm, spec, config["dataset"].get("points"))
    _check_enough(unit, amount, tasks, getattr(work.at(0, LARGEST), unit), node)
    return work.within(unit, amount // tasks, LARGEST)


def _check_enough(unit: str, amount: int, tasks: int, each: int, node: Config) -> None:
    """Refuse a budget that is not enough for one meta-iteration."""
    least = tasks * each
    if amount < least:
        of_each = "" if unit == "tasks" else f" of {each} {unit}"
        raise ConfigError(
            f"{KEY}.{unit}={amount}: must be at least {least}, one meta-iteration of {node['name']}"
            f" (meta_batch={tasks} tasks{of_each}). Use {KEY}.{unit}={least} or more"
        )
