"""What each configuration key may be, and how to say so when it is not.

A message names the key, the value, the limit and the fix, before anything is written.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class ConfigError(ValueError):
    """A configuration that cannot run; its text is all that the user needs to see."""


@dataclass(frozen=True)
class Check:
    """The values one key may take."""

    kind: type
    """int, float or str."""
    low: float | None = None
    above: float | None = None
    """An open lower limit, where `low` is a closed one."""
    choices: tuple[str, ...] = ()
    optional: bool = False
    example: Any = None

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        if value is None and self.optional:
            return None
        return None if self._fits(value) else f"must be {self._limit()}"

    def _fits(self, value: Any) -> bool:
        if self.choices:
            return str(value) in self.choices
        if self.kind is str:
            return isinstance(value, str) and bool(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if (self.kind is int and not isinstance(value, int)) or not math.isfinite(value):
            return False
        return (self.low is None or value >= self.low) and (
            self.above is None or value > self.above
        )

    def _limit(self) -> str:
        if self.choices:
            limit = f"one of {', '.join(self.choices)}"
        else:
            noun = {int: "a whole number", float: "a number", str: "a text"}[self.kind]
            bound = "" if self.low is None else f" of at least {self.low:g}"
            limit = noun + bound + ("" if self.above is None else f" above {self.above:g}")
        return limit + (" or null" if self.optional else "")


def _count(low: int, example: int, optional: bool = False) -> Check:
    return Check(int, low=low, example=example, optional=optional)


SETTING = {
    "shots": _count(1, 1),
    "steps": _count(0, 50),
    "batch_size": _count(1, 5, optional=True),
}
"""The keys of one entry of `eval.settings`."""

EVAL = {
    "eval.tasks": _count(1, 1000),
    "eval.seed": _count(0, 0),
    "eval.queries": _count(1, 1),
    "eval.protocol": Check(str, choices=("both", "inductive", "transductive"), example="both"),
    "eval.steps": _count(0, 50),
    "eval.batch_size": _count(1, 5, optional=True),
    "eval.curve_tasks": _count(0, 200),
}
RUN = {
    "name": Check(str, example="my_run"),
    "execution": Check(str, choices=("auto", "serial", "threads", "vmap"), example="auto"),
    "trainer.devices": _count(1, 1),
    "trainer.num_nodes": _count(1, 1),
    "trainer.precision": Check(str, choices=("32", "64"), example="32"),
}
TRAIN = {
    "seed": _count(0, 0),
    "max_meta_iterations": _count(1, 2000),
    "meta_batch": _count(1, 5),
    "log_every": _count(1, 10),
    "checkpoint_every": _count(1, 500),
    "algorithm.name": Check(str, example="reptile"),
    "algorithm.inner.lr": Check(float, above=0, example=0.001),
    "algorithm.inner.steps": _count(1, 5),
    "algorithm.inner.batch_size": _count(1, 10, optional=True),
    "algorithm.inner.loss": Check(str, choices=("mean", "sum"), example="mean"),
    "algorithm.inner.state": Check(
        str, choices=("carry", "reset", "sequential"), example="carry"
    ),
    "algorithm.outer.lr": Check(float, above=0, example=1.0),
    "algorithm.outer.final_lr": Check(float, low=0, optional=True, example=0.0),
    "algorithm.meta_batch": _count(1, 5),
    "algorithm.train_shots": _count(1, 10),
    "algorithm.queries": _count(0, 1),
    "algorithm.eval.steps": _count(0, 50),
    "algorithm.eval.batch_size": _count(1, 5, optional=True),
    "shots.ways": _count(1, 5),
    "shots.shots": _count(1, 1),
    "shots.train_shots": _count(1, 10),
    "shots.queries": _count(0, 1),
    "eval.val_every": _count(1, 500, optional=True),
    "eval.val_tasks": _count(2, 100),
    "eval.test_every": _count(1, 500, optional=True),
    "eval.test_tasks": _count(2, 100),
    "eval.checkpoint": Check(str, choices=("best", "last"), optional=True, example="last"),
}


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`("a.b", value)` for every leaf of nested mappings; lists are leaves."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean x?`, or nothing where nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def check_values(config: Mapping[str, Any], table: Mapping[str, Check]) -> None:
    """Hold every key of a table against its limit.

    Raises:
        ConfigError: a value of the wrong type or out of range, or a key that is not there.
    """
    values = dict(flatten(config))
    for key, check in table.items():
        if key not in values:
            raise ConfigError(f"{key} is missing. Give it, for example {key}={check.example}")
        if complaint := check.complaint(values[key]):
            raise ConfigError(
                f"{key}={values[key]}: {complaint}. For example {key}={check.example}"
            )


def check_settings(settings: Any) -> None:
    """Hold `eval.settings` against its limits, each entry by its position.

    Raises:
        ConfigError: not a list of {shots, steps, batch_size}, or a value out of range.
    """
    fix = "For example eval.settings='[{shots: 1, steps: 50, batch_size: 5}]'"
    if not isinstance(settings, list) or not settings:
        raise ConfigError(f"eval.settings={settings}: must be a list of settings. {fix}")
    for place, setting in enumerate(settings):
        key = f"eval.settings[{place}]"
        if not isinstance(setting, Mapping) or set(setting) != set(SETTING):
            raise ConfigError(f"{key}={setting}: must have {', '.join(SETTING)}. {fix}")
        for name, check in SETTING.items():
            if complaint := check.complaint(setting[name]):
                raise ConfigError(f"{key}.{name}={setting[name]}: {complaint}. {fix}")
