"""Calling what a configuration names, with messages about the keys that it was called with."""

from __future__ import annotations

import inspect
import pkgutil
import types
import typing
from collections.abc import Mapping
from typing import Any

from fewstep.checks import NOUNS, ConfigError, did_you_mean


Config = Mapping[str, Any]


def make(key: str, config: Config, spare: frozenset[str] = frozenset()) -> Any:
    """The object of a node with a `_target_`; `spare` keys are left out where it takes none.

    Raises:
        ConfigError: a target that cannot be imported, or arguments that it does not take.
    """
    arguments = dict(config)
    target = arguments.pop("_target_", None)
    if target is None:
        raise ConfigError(f"{key}._target_ is missing: the dotted path of the class to make")
    made = locate(f"{key}._target_", target)
    taken = inspect.signature(made).parameters
    return call(made, key, {n: v for n, v in arguments.items() if n in taken or n not in spare})


def call(made: Any, key: str, arguments: Config) -> Any:
    """`made(**arguments)`, whose arguments are the keys below `key`.

    Raises:
        ConfigError: an argument that is unknown, missing or of another type, or that is refused.
    """
    parameters = inspect.signature(made).parameters
    for name, value in arguments.items():
        if name not in parameters:
            hint = did_you_mean(name, parameters)
            raise ConfigError(
                f"{key}.{name}={value}: {made.__name__} takes no such argument.{hint} It takes "
                f"{', '.join(parameters) or 'none'}"
            )
    for name, parameter in parameters.items():
        if name not in arguments and parameter.default is parameter.empty:
            raise ConfigError(f"{key}.{name} is missing: {made.__name__} needs it")
    _check_types(made, key, arguments)
    try:
        return made(**arguments)
    except Exception as error:  # whatever somebody's constructor raises
        text = str(error) or type(error).__name__
        raise ConfigError(text if f"{key}." in text else f"{key}: {text}") from None


def locate(key: str, path: str) -> Any:
    """What a dotted path names, imported.

    Raises:
        ConfigError: it is not there, or its module cannot be imported.
    """
    try:
        return pkgutil.resolve_name(path)
    except Exception as error:  # whatever importing somebody's module raises
        raise ConfigError(
            f"{key}={path}: cannot be imported ({error}). It is the dotted path of a class in an "
            "installed module, or in one that lies in this folder"
        ) from None


def _check_types(made: Any, key: str, arguments: Config) -> None:
    """Hold values against annotations of plain types; others are up to the constructor."""
    try:
        hints = typing.get_type_hints(made.__init__ if inspect.isclass(made) else made)
    except Exception:  # annotations of somebody's own that cannot be resolved
        return
    for name, value in arguments.items():
        hint = hints.get(name)
        united = typing.get_origin(hint) in (types.UnionType, typing.Union)
        kinds = typing.get_args(hint) if united else (hint,)
        plain = [kind for kind in kinds if kind in NOUNS]
        if len(plain) < len([k for k in kinds if k is not types.NoneType]) or not plain:
            continue
        if value is None and types.NoneType in kinds:
            continue
        if not any(_is(value, kind) for kind in plain):
            nouns = " or ".join(NOUNS[kind] for kind in plain)
            raise ConfigError(f"{key}.{name}={value}: must be {nouns}")


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
