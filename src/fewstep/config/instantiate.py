"""Calling what a configuration names, with messages about the keys that it was called with."""

from __future__ import annotations

import inspect
import math
import pkgutil
import re
from collections.abc import Container, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from fewstep.config.checks import NOUNS, written_out
from fewstep.messages.errors import ConfigError, did_you_mean


Config = Mapping[str, Any]

PLAIN = {"int": int, "float": float, "bool": bool, "str": str, "None": type(None), "Path": Path}
"""The annotations that a value can be held against, as they are written."""


SHOWN = (bool, int, float, str, list, tuple, dict)
"""Values as a configuration has them, which a message shows; objects that were made of it not."""


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
    parameters = dict(inspect.signature(made).parameters)
    rest = [n for n, p in parameters.items() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takes_all = any(parameters.pop(name).kind == inspect.Parameter.VAR_KEYWORD for name in rest)
    for name, value in arguments.items():
        if name not in parameters and not takes_all:
            hint = did_you_mean(name, parameters)
            shown = f"={value}" if isinstance(value, SHOWN) or value is None else ""
            raise ConfigError(
                f"{key}.{name}{shown}: {made.__name__} takes no such argument.{hint} It takes "
                f"{', '.join(parameters) or 'none'}"
            )
    for name, parameter in parameters.items():
        if name not in arguments and parameter.default is parameter.empty:
            raise ConfigError(f"{key}.{name} is missing: {made.__name__} needs it")
    check_kinds(made, key, arguments)
    try:
        return made(**arguments)
    except Exception as error:  # whatever somebody's constructor raises
        text = str(error) or type(error).__name__
        raise ConfigError(_keyed(text, key, parameters)) from None


def _keyed(text: str, key: str, names: Container[str]) -> str:
    """A complaint with the key that it is about: of the argument that it begins with, or whole."""
    if f"{key}." in text:
        return text
    name = text.partition("=")[0]
    if name in names:
        return re.sub(rf"(?<![\w.]){name}=", f"{key}.{name}=", text)
    return f"{key}: {text}{_way_out(text)}"


def _way_out(text: str) -> str:
    """What to do about a mistake that many make in a class of their own."""
    ways = {
        "before Module.__init__() call": ". Begin its __init__ with super().__init__()",
        "instantiate abstract class": ". Write that method",
    }
    return next((way for words, way in ways.items() if words in text), "")


def locate(key: str, path: str) -> Any:
    """What a dotted path names, imported.

    Raises:
        ConfigError: it is not there, or its module cannot be imported.
    """
    try:
        found = _look_up(path)
        if not callable(found):
            raise TypeError("it is no class or function")
        return found
    except Exception as error:  # whatever importing somebody's module raises
        if lacks := _lacks(path):
            raise ConfigError(f"{key}={path}: cannot be imported ({lacks}") from None
        raise ConfigError(
            f"{key}={path}: cannot be imported ({error}). It is the dotted path of a class in an "
            "installed module, or in one that lies in this folder"
        ) from None


def _look_up(path: str) -> Any:
    """As Hydra does, a name wins over the module that it shadows (torchvision.models.alexnet);
    where that leads nowhere, the module does (torchvision.models.alexnet.AlexNet)."""
    first, *parts = path.split(".")
    found = import_module(first)
    for place, part in enumerate(parts, start=1):
        if hasattr(found, part):
            found = getattr(found, part)
        elif inspect.ismodule(found):
            found = import_module(".".join([first, *parts[:place]]))
        else:
            return pkgutil.resolve_name(path)
    return found


def _lacks(path: str) -> str:
    """That a module of one file is there and has no such name; empty where that is not so."""
    module, _, name = path.rpartition(".")
    try:
        found = import_module(module)
    except Exception:  # whatever importing somebody's module raises, which is told elsewhere
        return ""
    if hasattr(found, name) or not str(getattr(found, "__file__", "")).endswith(f"{module}.py"):
        return ""
    known = [n for n, v in vars(found).items() if callable(v) and v.__module__ == found.__name__]
    hint = did_you_mean(name, known)
    return f"{module}.py has no {name}).{hint} It has {', '.join(known) or 'no class'}"


def check_kinds(made: Any, key: str, arguments: Config) -> None:
    """Hold values against annotations of plain types; others are up to the constructor.

    Raises:
        ConfigError: a value of another kind, or for one of our own parts a number that is not
            finite, with which none of them computes.
    """
    parameters = inspect.signature(made).parameters
    for name in arguments.keys() & parameters.keys():
        value, hint = arguments[name], parameters[name].annotation
        words = (hint.__name__ if isinstance(hint, type) else str(hint)).split(" | ")
        kinds = [PLAIN[word] for word in words if word in PLAIN]
        if len(kinds) == len(words) and not any(_is(value, kind) for kind in kinds):
            nouns = dict.fromkeys({**NOUNS, Path: NOUNS[str]}.get(kind, "null") for kind in kinds)
            out = written_out(value) if int in kinds else ""
            shown, usual = "null" if value is None else value, parameters[name].default
            plain = isinstance(usual, SHOWN) and usual is not parameters[name].empty
            fix = f". For example {key}.{name}={usual}" if plain and usual != "" else ""
            raise ConfigError(f"{key}.{name}={shown}: must be {' or '.join(nouns)}{out}{fix}")
    ours = str(getattr(made, "__module__", "")).startswith("fewstep.")
    for name, value in arguments.items() if ours else ():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{key}.{name}={value}: must be a finite number")


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    wider = {float: (int, float), Path: (str, Path)}  # a path is written as a text
    return isinstance(value, wider.get(kind, kind))
