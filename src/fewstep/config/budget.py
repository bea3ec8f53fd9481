"""`budget`: how long a training is in work that is done, where `max_meta_iterations` counts steps.

Algorithms differ in what a meta-iteration costs, so that a comparison at equal budgets gives each
a number of meta-iterations of its own. It is worked out before anything else looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fewstep.messages.errors import ConfigError


Config = Mapping[str, Any]

KEY, LENGTH = "budget", "max_meta_iterations"
UNITS = ("tasks", "gradients", "examples")
"""What a budget may be given in."""


def asked(config: Config) -> tuple[str, int] | None:
    """The unit and the amount of a checked budget; None where a training has none."""
    budget = config.get(KEY)
    found = budget.items() if isinstance(budget, Mapping) else ()
    given = {unit: n for unit, n in found if n is not None}
    return next(iter(given.items()), None)


def check_budget(config: Config) -> None:
    """Refuse what is no budget, or more than one; the amounts are held against their limits apart.

    Raises:
        ConfigError: naming what is given and the fix.
    """
    budget, fix = config.get(KEY), f"For example {KEY}.tasks=10000"
    if budget is None:
        return
    if not isinstance(budget, Mapping):
        raise ConfigError(
            f"{KEY}={budget}: must be null or one of {', '.join(UNITS)} with a number. {fix}"
        )
    given = [f"{KEY}.{unit}={n}" for unit, n in budget.items() if n is not None]
    if len(given) > 1:
        raise ConfigError(
            f"{' '.join(given)}: a training has one budget, and these are {len(given)}. Leave all "
            "but one of them out"
        )


def check_alone(config: Config, words: Sequence[str]) -> None:
    """Refuse words that say how long a training is beside a budget which says it too.

    Raises:
        ConfigError: naming both.
    """
    from fewstep.config.arguments import parsed  # Hydra's, which a report can do without

    budget = asked(config)
    word = next((w for w in words if parsed(w).key_or_group == LENGTH), None)
    if word and budget:
        raise ConfigError(
            f"{word}: {KEY}.{budget[0]}={budget[1]} says how long the training is. Leave one of "
            f"them out, or switch the budget off with {KEY}=null"
        )


def superseded(stored: Iterable[str], given: Iterable[str], config: Config) -> set[str]:
    """The stored overrides of a run, with its configuration, that are not to be taken up again:
    its budget where new words say how long it is, and the length that followed from a budget."""
    own, again = {key for key in stored if _of_budget(key)}, {*given}
    follows = {LENGTH} if asked(config) else set()
    return own | follows if any(key == LENGTH or _of_budget(key) for key in again) else follows


def _of_budget(key: str) -> bool:
    return key.lstrip("+~").split(".")[0] == KEY
