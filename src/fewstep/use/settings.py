"""Settings that a user gives from Python."""

from __future__ import annotations

import warnings
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.config.trust import check_trust
from fewstep.core.rules import Rule
from fewstep.messages.errors import ConfigError


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of Python's or NumPy's, as `np.arange` gives a search its values.

    Raises:
        ConfigError: it is none, or less than `least`.
    """
    try:
        number = least - 1 if isinstance(value, bool) else index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ConfigError(f"{name}={value}: must be a whole number of at least {least}")
    return number


def truth(name: str, value: Any) -> bool:
    """True or False of Python's or NumPy's: any text is true to Python, "no" as well.

    Raises:
        ConfigError: it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name}={value!r}: must be True or False. For example {name}=True")
    return bool(value)


def modules(trust: Any) -> list[str]:
    """The modules that are to be trusted, of a list or a tuple.

    Raises:
        ConfigError: it is none, or does not hold names of modules.
    """
    found = [*trust] if isinstance(trust, list | tuple) else trust
    check_trust({"trust": found})
    return found


def check_weights(weights: Any) -> None:
    """Refuse what names no file of weights: what is empty would be none at all.

    Raises:
        ConfigError: naming the form.
    """
    if not isinstance(weights, str | Path | None) or weights == "":
        raise ConfigError(
            f"backbone.weights={weights!r}: must be a file. For example "
            "weights='weights.safetensors', or None for timm's own cache"
        )


def check_parts(module: Any, rule: Any) -> None:
    """Refuse what is no network, or no rule, to learn with.

    Raises:
        ConfigError: naming what it is, and what to give.
    """
    kind = type(module).__name__
    if not isinstance(module, nn.Module):
        raise ConfigError(f"module: a {kind} is no torch.nn.Module. Give a network")
    if isinstance(module, torch.jit.ScriptModule):
        raise ConfigError(f"module: a {kind} cannot be lent parameters. Give it before scripting")
    if any(isinstance(p, nn.UninitializedParameter) for p in module.parameters()):
        raise ConfigError(f"module: {kind} has lazy layers. Call it once on some inputs before")
    if any(p.is_meta for p in module.parameters()):
        raise ConfigError(f"module: {kind} has parameters without values. Load them before")
    if not any(p.requires_grad for p in module.parameters()):
        raise ConfigError(f"module: {kind} has no parameter with requires_grad=True to learn")
    if not isinstance(rule, Rule):
        raise ConfigError(
            f"rule={rule!r}: is no inner rule. For example fewstep.core.rules.SGD(0.05)"
        )


def check_steps(rule: Rule, steps: int, name: str) -> None:
    """Refuse steps that the inner rule of this initialization cannot take, or too few of them.

    Raises:
        ConfigError: naming the limit.
    """
    if rule.most_steps is not None and steps > rule.most_steps:
        raise ConfigError(
            f"steps={steps}: init={name} has learned a rate for each of {rule.most_steps} steps. "
            f"Use steps={rule.most_steps} or less"
        )
    if steps < rule.fewest_steps:
        raise ConfigError(
            f"steps={steps}: init={name} averages what comes after {rule.fewest_steps - 1} steps. "
            f"Use steps={rule.fewest_steps} or more"
        )


def warn_of_steps(inner: InnerLoop, steps: int, name: str) -> None:
    """Say that there are more steps than what was learned with them is good for."""
    if not inner.rule.lasts and steps > inner.steps:
        warnings.warn(
            f"steps={steps}: init={name} has learned its rates for {inner.steps} steps, and may "
            f"blow up beyond them. Use steps={inner.steps} or less",
            stacklevel=3,
        )
