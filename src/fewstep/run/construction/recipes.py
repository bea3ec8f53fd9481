"""From the configuration of an algorithm to its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fewstep.run.construction import build, parts
from fewstep.run.construction.outer import build_outer
from fewstep.run.experiment import Recipe


Config = Mapping[str, Any]


def joint_node(config: Config) -> dict[str, Any] | None:
    """The joint baseline's algorithm, with the inner loop of the one beside it."""
    node = config["baselines"]["joint"]
    return {**node, "inner": config["algorithm"]["inner"]} if node else None


def recipe_of(node: Config, shots: Config, key: str = "algorithm") -> Recipe:
    """The recipe that an algorithm's node says, for the tasks that these shots make.

    Raises:
        ConfigError: naming the key that it cannot be made of.
    """
    algorithm, outer = parts.build_algorithm(node, key), build_outer(node["outer"], key)
    spec = build.build_spec(algorithm, shots)
    again = partial(_recipe_again, node, shots)
    return Recipe(node.get("name", key), algorithm, outer, spec, again)


def _recipe_again(node: Config, shots: Config, steps: int, held: int | None) -> Recipe:
    changed = dict(node)
    if "steps" in node["inner"]:  # else there is no loop to be shortened
        changed["inner"] = {**node["inner"], "steps": steps}
    if "checkpoint_steps" in node:
        changed["checkpoint_steps"] = held
    return recipe_of(changed, shots)
