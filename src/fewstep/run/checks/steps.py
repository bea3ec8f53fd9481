"""Whether the steps of a training and of its tests are those that the inner rule can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fewstep.core.rules import Rule
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import RULE, answered, named
from fewstep.run.experiment import Recipe


Config = Mapping[str, Any]


def check_steps(recipe: Recipe, settings: Sequence[Config]) -> None:
    """Hold the steps of meta-training and of each meta-test against what the inner rule can take.

    Raises:
        ConfigError: more of them.
    """
    inner = recipe.algorithm.inner
    if not recipe.algorithm.has_inner_loop:
        _check_none(recipe, settings)
        return
    if not inner.steps:
        key = "algorithm.inner.steps"
        raise ConfigError(f"{key} is missing. Give it, for example {key}=5")
    most, rule = _number(inner.rule, "most_steps"), type(inner.rule).__name__.lower()
    fewest = _number(inner.rule, "fewest_steps") or 0
    if most is not None and inner.rule.learns and most > inner.steps:
        raise ConfigError(
            f"algorithm.inner.options.steps={most}: the inner rule {rule} would have rates for "
            f"steps that training, of algorithm.inner.steps={inner.steps}, never takes, and so "
            f"never learns. Use algorithm.inner.options.steps={inner.steps}, or raise both"
        )
    asked = {"algorithm.inner.steps": inner.steps}
    asked |= {f"eval.settings[{i}].steps": one["steps"] for i, one in enumerate(settings)}
    for key, steps in asked.items():
        if most is not None and steps > most:
            raise ConfigError(
                f"{key}={steps}: the inner rule {rule} has no rate for more than {most} steps. "
                f"Lower it to {most}, or train with a larger algorithm.inner.steps"
            )
        if steps < fewest:
            raise ConfigError(
                f"{key}={steps}: the inner rule {rule} averages what comes after "
                f"algorithm.inner.options.burn_in={fewest - 1} steps. Take more, "
                "or lower that"
            )


def _check_none(recipe: Recipe, settings: Sequence[Config]) -> None:
    for place, setting in enumerate(settings):
        if setting["steps"]:
            raise ConfigError(
                f"eval.settings[{place}].steps={setting['steps']}: algorithm={recipe.name} has no "
                "inner loop, in training or at meta-test. Use eval.steps=0"
            )


def _number(rule: Rule, limit: str) -> float | None:
    """What a rule says of its steps."""
    name = f"{named(rule, RULE)}: its {limit}"
    found = answered(name, lambda: getattr(rule, limit))
    if found is not None and (isinstance(found, bool) or not isinstance(found, (int, float))):
        raise ConfigError(
            f"{name} gives {found!r}, and must give a number of steps, or None for any. For "
            "example return 5"
        )
    return found
