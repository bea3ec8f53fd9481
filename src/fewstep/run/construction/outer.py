"""The outer step that a configuration asks for."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from fewstep.config.checks import Check
from fewstep.config.instantiate import locate
from fewstep.core.aggregate import AGGREGATORS, Aggregator
from fewstep.core.outer import SCHEDULES, OuterStep, Schedule
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.run.checks.outer_options import check_options
from fewstep.run.checks.own_outer import check_optimizer


Config = Mapping[str, Any]

CLIP = Check(float, above=0, optional=True, example=1.0)
"""Of the outer gradient's length."""


def build_outer(config: Config, key: str = "algorithm") -> OuterStep:
    """The outer optimizer of an `algorithm.outer` node: a name in `torch.optim`, or a path.

    Raises:
        ConfigError: an optimizer that does not exist, or options that it does not take.
    """
    name, key = config["optimizer"], f"{key}.outer"
    known = [n for n, o in vars(torch.optim).items() if inspect.isclass(o)]
    if "." not in name and name not in known:
        raise ConfigError(
            f"{key}.optimizer={name}: torch.optim has no such class."
            f"{did_you_mean(name, known)} For example {key}.optimizer=Adam"
        )
    optimizer = locate(f"{key}.optimizer", name if "." in name else f"torch.optim.{name}")
    outer = OuterStep(
        optimizer,
        config["lr"],
        config["final_lr"],
        dict(config["options"] or {}),
        _schedule(config, key),
        check_rates(config.get("rates") or {}, key),
        _aggregator(config.get("aggregator", "mean"), key),
        _most(config, key, "clip"),
        _most(config, key, "clamp"),
        config.get("average"),
    )
    check_options(optimizer, outer.options, key)
    make = partial(optimizer, lr=outer.lr, **outer.options)
    try:
        make([torch.zeros(1)])
    except Exception as error:  # whatever somebody's optimizer raises
        raise ConfigError(
            f"{key}.options={outer.options}: {name} refuses them ({error}). For example "
            f"+{key}.options.weight_decay=0.01"
        ) from None
    check_optimizer(make, f"{key}.optimizer={name}", outer.final_lr is not None)
    return outer


def _aggregator(name: Any, key: str) -> Aggregator:
    if not isinstance(name, str) or name not in AGGREGATORS:
        raise ConfigError(
            f"{key}.aggregator={name}: must be one of {', '.join(AGGREGATORS)}."
            f"{did_you_mean(str(name), AGGREGATORS)} For example {key}.aggregator=per_entry"
        )
    return AGGREGATORS[name]


def _most(config: Config, key: str, name: str) -> float | None:
    limit = config.get(name)
    if limit is not None and (complaint := CLIP.complaint(limit)):
        raise ConfigError(
            f"{key}.{name}={limit}: {complaint}. For example +{key}.{name}={CLIP.example}"
        )
    return limit


def _schedule(config: Config, key: str) -> Schedule:
    """What `schedule` names; nothing falls where there is nothing to fall to."""
    name = config.get("schedule", "linear")
    if not isinstance(name, str) or (name not in SCHEDULES and "." not in name):
        raise ConfigError(
            f"{key}.schedule={name}: must be one of {', '.join(SCHEDULES)}, or the dotted path of "
            f"a function of your own. For example {key}.schedule=cosine"
        )
    if name != "linear" and config["final_lr"] is None:
        raise ConfigError(
            f"{key}.schedule={name}: has no rate to fall to with {key}.final_lr=null. Give one, "
            f"for example {key}.final_lr=0.00001"
        )
    if name in SCHEDULES:
        return SCHEDULES[name]
    schedule = locate(f"{key}.schedule", name)
    for done in (0.0, 0.5, 1.0):
        share = _share(schedule, done, f"{key}.schedule={name}")
        if (rate := config["lr"] + share * (config["final_lr"] - config["lr"])) < 0:
            raise ConfigError(
                f"{key}.schedule={name}: gives {share:g} of the way to {key}.final_lr at {done}, a "
                f"rate of {rate:g}, and rates are of at least 0. Give shares from 0 to 1"
            )
    return schedule


def _share(schedule: Schedule, done: float, key: str) -> float:
    """Try a schedule of somebody's own: the share of the way that it gives.

    Raises:
        ConfigError: it does not say what share of the way is done.
    """
    fix = "It takes the share of the training that is done, and gives that of the way to final_lr"
    try:
        share = schedule(done)
    except Exception as error:  # whatever it raises
        raise ConfigError(
            f"{key}: fails at {done} ({type(error).__name__}: {error}). {fix}"
        ) from None
    number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if not number or not math.isfinite(share):
        raise ConfigError(f"{key}: gives {share} at {done}, and must give a finite number. {fix}")
    return float(share)


def check_rates(rates: Any, key: str) -> dict[str, float]:
    """Hold the rates by pattern against their limits.

    Raises:
        ConfigError: what is no rate, or no pattern with one.
    """
    fix = f"For example +{key}.rates={{inner/*: 0.0001}}"
    if not isinstance(rates, Mapping):
        raise ConfigError(f"{key}.rates={rates}: must be patterns of names with rates. {fix}")
    for pattern, rate in rates.items():
        number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not number or not 0 <= rate < float("inf"):
            raise ConfigError(
                f"{key}.rates.{pattern}={rate}: must be a finite number of at least 0. {fix}"
            )
    return dict(rates)
