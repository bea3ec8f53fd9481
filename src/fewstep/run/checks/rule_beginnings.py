"""What a user's own inner rule says of itself before any task, looked at before a network is
learned with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.partition import matches
from fewstep.core.rules import Rule
from fewstep.core.rules.learned import LEARNED
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import RULE, answered, asked_once, asked_twice, is_own, named
from fewstep.run.checks.rule_answers import check_state


def check_beginnings(inner: InnerLoop, module: nn.Module) -> None:
    """Ask a rule of a user's own what it remembers and learns at first, on copies of a network's
    parameters, and where it keeps what is learned.

    Raises:
        ConfigError: it fails, writes into the parameters, remembers something else the next time,
            or says what is no state, or no number; in one line that names it.
    """
    rule, name = inner.rule, named(inner.rule, RULE)
    if not is_own(rule):
        return
    params = {
        key: p.detach().clone()
        for key, p in module.named_parameters()
        if p.requires_grad and not matches(key, inner.frozen)
    }
    given = {f"params ({key})": p for key, p in params.items()}
    noise = "draw noise in begin, from its key"
    state = asked_twice(f"{name}: its init", lambda: rule.init(dict(params)), given, noise)
    check_state(f"{name}: its init", state)
    with torch.random.fork_rng(devices=()):  # the learner's own may be drawn, and are drawn next
        learned = asked_once(f"{name}: its learned", lambda: rule.learned(dict(params)), given)
    if isinstance(learned, Mapping):  # another form the learner refuses
        _check_finite(name, learned)
        _check_least(name, rule, learned)


def _check_finite(name: str, learned: Mapping[Any, Any]) -> None:
    for key, value in learned.items():
        if isinstance(value, Tensor) and not torch.isfinite(value).all():
            raise ConfigError(
                f"{name}: its learned gives {key} as {value.tolist()}, from which nothing can be "
                "learned. Give finite numbers, for example torch.tensor(0.02)"
            )


def _check_least(name: str, rule: Rule, learned: Mapping[Any, Any]) -> None:
    """Of numbers, and where its class says it, of what is learned; an inherited one may be of what
    this rule does not learn, and so may all be where nothing is learned this time."""
    least: Any = answered(f"{name}: its least", lambda: rule.least)
    entries = sorted({str(key).removeprefix(LEARNED).partition("/")[0] for key in learned})
    looked_up = bool(entries) and "least" in vars(type(rule))
    if not isinstance(least, Mapping) or not all(
        _is_number(value) and (key in entries or not looked_up) for key, value in least.items()
    ):
        raise ConfigError(
            f"{name}: its least is {least!r}, and must be a dictionary of a number for each entry "
            f"that is to stay above one, of {', '.join(entries) or 'those that it may learn'}. "
            'For example {"lr": 1e-4}'
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
