"""Asking a part of a user's own, so that what goes wrong in it is told as its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.types import Episode, Params
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.diagnosis import one_line
from fewstep.run.checks.rule_answers import same


RULE = "algorithm.inner.rule"
"""The key that names an inner rule."""


def is_own(part: object) -> bool:
    """Whether an algorithm, an inner rule or an objective is none of fewstep's."""
    return not type(part).__module__.startswith("fewstep.")


def named(part: object, key: str) -> str:
    """What messages about a part begin with: its key, and the dotted path of its class."""
    return f"{key}={type(part).__module__}.{type(part).__qualname__}"


def answered(what: str, ask: Callable[[], Any]) -> Any:
    """What a part of a user's own hands back.

    Raises:
        ConfigError: it fails, in one line that begins with `what`.
    """
    try:
        return ask()
    except ConfigError:
        raise
    except Exception as error:  # whatever somebody's code raises
        raise ConfigError(f"{what} fails ({one_line(error)}). Correct it") from None


def asked_once(what: str, ask: Callable[[], Any], given: Mapping[str, Tensor]) -> Any:
    """What it hands back; what it is given, by name, stays as it is.

    Raises:
        ConfigError: it fails, or writes into what it is given.
    """
    before = {name: value.clone() for name, value in given.items()}
    found = answered(what, ask)
    if changed := [name for name, p in given.items() if not same(p, before[name])]:
        raise ConfigError(
            f"{what} writes into {changed[0]}, which all tasks start from or other steps read. "
            "Make new tensors: p - x in place of p.sub_(x)"
        )
    return found


def asked_twice(
    what: str,
    ask: Callable[[], Any],
    given: Mapping[str, Tensor],
    noise: str = "take noise from episode.key",
) -> Any:
    """The same, of what must be no other the next time; `noise` says where it may come from.

    Raises:
        ConfigError: as `asked_once` does, or it says something else the next time.
    """
    found = asked_once(what, ask, given)
    if not _alike(found, asked_once(what, ask, given)):
        raise ConfigError(
            f"{what} is another one when it is asked again, and must hang on its arguments alone. "
            f"Let it remember nothing, and {noise}"
        )
    return found


def tensors_of(params: Params, episode: Episode, called: str) -> dict[str, Tensor]:
    """What is given of a task, by name: `called (0.weight)`, `episode.support_x`."""
    found = {f"{called} ({name})": p for name, p in params.items()}
    parts = zip(episode._fields, episode, strict=True)
    found |= {f"episode.{name}": part for name, part in parts if isinstance(part, Tensor)}
    return found | {f"episode.extras[{n!r}]": value for n, value in episode.extras.items()}


def _alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same, to the rounding of a device that adds in any order."""
    (mine, form), (theirs, other_form) = pytree.tree_flatten(one), pytree.tree_flatten(other)
    return form == other_form and all(map(_near, mine, theirs))


def _near(a: Any, b: Any) -> bool:
    """Of what are no tensors with a fraction nothing is said."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or not a.is_floating_point():
        return True
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.allclose(a, b, rtol=1e-3, atol=1e-3 * _largest(a), equal_nan=True)


def _largest(values: Tensor) -> float:
    """By magnitude, among those that are numbers."""
    return float(values.nan_to_num(nan=0.0).abs().max()) if values.numel() else 0.0


def several(found: Any, count: int) -> str | None:
    """What it is that is no tuple of so many things; None where it is."""
    if isinstance(found, tuple):
        return None if len(found) == count else f"{len(found)} things"
    return f"a {type(found).__name__}"


def check_mapping(name: str, part: str, value: Any, example: str) -> None:
    """Refuse what is no dictionary.

    Raises:
        ConfigError: naming what it is.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{name}: its {part} must be a dictionary, and is a {type(value).__name__}. For "
            f"example {example}"
        )


def check_like(whose: str, found: Mapping[str, Any], params: Mapping[str, Tensor]) -> None:
    """Refuse entries that are not of the shape and precision of the parameters that they are
    called as.

    Raises:
        ConfigError: naming the first of them.
    """
    for key, value in found.items():
        p = params[key]
        if not isinstance(value, Tensor) or value.shape != p.shape:
            given = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ConfigError(
                f"{whose}[{key!r}] must have the parameter's shape {list(p.shape)}, and has {given}"
            )
        if value.dtype != p.dtype:
            raise ConfigError(
                f"{whose}[{key!r}] is in {value.dtype}, and the parameter in {p.dtype}. Make it "
                "with .to(p.dtype)"
            )
