"""What the inner rule learns, as parameters that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.core.rules import Rule
from fewstep.core.rules.learned import LEARNED, split
from fewstep.core.types import Params
from fewstep.messages.errors import ConfigError


class Learned(nn.ParameterDict):
    """Hyper-parameters of the inner rule that the outer step learns, by names without dots, which
    a module's must not have; empty for most rules."""

    def __init__(self, rule: Rule, params: Params) -> None:
        """Those of a rule, at their initial values, for the network's parameters.

        Raises:
            ConfigError: the rule's `learned` gives other things than tensors to be learned.
        """
        initial = rule.learned(params)
        _check(rule, initial)
        self._names = {_without_dots(n): n for n in initial}
        values = (nn.Parameter(initial[n].clone()) for n in self._names.values())
        super().__init__(dict(zip(self._names, values, strict=True)))

    def by_name(self) -> dict[str, nn.Parameter]:
        """By the names that they have for the rule."""
        return {self._names[name]: parameter for name, parameter in self.items()}

    @torch.no_grad()
    def set_back(self, least: Mapping[str, float]) -> None:
        """Keep what an outer step has moved where the rule can work with it: by entry, the least
        that it may be."""
        for name, parameter in self.items():
            if (lowest := least.get(_entry(name))) is not None:
                parameter.clamp_(min=lowest)


def ranges(params: Params) -> dict[str, float]:
    """The range of each entry that is learned: `inner_lr_min`, `inner_lr_mean` and `inner_lr_max`,
    say, of a learner's parameters."""
    entries: dict[str, list[Tensor]] = {}
    for name, value in split(params)[1].items():
        entries.setdefault(_entry(name), []).append(value.detach().reshape(-1))
    found = {}
    for entry, parts in entries.items():
        values = torch.cat(parts)
        for kind, value in (("min", values.min()), ("mean", values.mean()), ("max", values.max())):
            found[f"inner_{entry}_{kind}"] = float(value)
    return found


def _without_dots(name: str) -> str:
    """Another for each name, one that has colons or not."""
    return name.replace("%", "%25").replace(":", "%3A").replace(".", ":")


def _entry(name: str) -> str:
    return name.split("/")[1]


def _check(rule: Rule, initial: Any) -> None:
    name = f"algorithm.inner.rule={type(rule).__module__}.{type(rule).__qualname__}: its learned"
    if not isinstance(initial, Mapping):
        raise ConfigError(
            f"{name} must return a dictionary of tensors, and returns a {type(initial).__name__}. "
            f'For example {{"{LEARNED}lr": torch.tensor(0.02)}}'
        )
    for key, value in initial.items():
        called = isinstance(key, str) and key.startswith(LEARNED)
        if not called or not key.removeprefix(LEARNED).strip("/"):
            raise ConfigError(
                f"{name} calls an entry {key!r}, and must call it {LEARNED}ENTRY or "
                f"{LEARNED}ENTRY/PARAMETER. For example {LEARNED}lr"
            )
        if not isinstance(value, Tensor) or not value.is_floating_point():
            kind = f"{value.dtype}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise ConfigError(
                f"{name} gives {key} as {kind}, and must give a tensor of floating-point numbers, "
                "which a gradient can move. For example torch.tensor(0.02)"
            )
