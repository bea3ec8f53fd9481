"""What a value is, as far as a function that reads it can tell: equal snapshots read alike.

Taken for constants, as in a program's own text: globals, and the attributes of classes.
"""

from __future__ import annotations

import functools
import random
import types
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor


MOST = 1000
"""Values that are looked at before it would cost more than it saves."""

PLAIN = {type(None), bool, int, complex, str, bytes, range}
PLAIN |= {torch.dtype, torch.device, torch.layout, torch.memory_format}
IDENTIFIED = (type, types.ModuleType, types.BuiltinFunctionType, Enum)
"""Known by which object they are."""
UNKNOWABLE = (np.ndarray, random.Random, np.random.Generator, np.random.RandomState)
UNKNOWABLE += (torch.Generator,)
"""They change without a sign of it."""


class Unknowable(TypeError):
    """Nobody can tell from outside whether the value has changed."""

    @classmethod
    def of(cls, value: Any) -> Unknowable:
        return cls(f"what it reads holds a {type(value).__name__}, which may change")


class Constant:
    """Objects of such a class never change, and are known by their identity, which is quick."""


@dataclass(frozen=True, eq=False)
class Same:
    """Equal for one object alone, which it keeps, so that no other can take its identity."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def snapshot(value: Any) -> Hashable:
    """A key that is equal for values that no function could tell apart.

    Raises:
        Unknowable: something in it could change without being noticed, or it is too large.
    """
    return _Walk().visit(value)


class _Walk:
    """Through a value and all that it holds, once each."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[int, Any]] = {}
        """By identity, a value's place in the walk; and the value, which keeps its identity."""

    def visit(self, value: Any) -> Hashable:
        kind = type(value)
        if kind is float:
            return kind, value.hex()  # tells 0.0 from -0.0, and a nan is itself
        if kind in PLAIN:
            return kind, value
        if kind is object or isinstance(value, (*IDENTIFIED, Constant)):
            return Same(value)
        if id(value) in self.seen:
            return "seen before", self.seen[id(value)][0]
        self.seen[id(value)] = len(self.seen), value
        if len(self.seen) > MOST:
            raise Unknowable(f"what it reads holds more than {MOST} values")
        return kind, self.parts(value)

    def parts(self, value: Any) -> Hashable:
        """What the value consists of; for a tensor, how often it has been written into."""
        if isinstance(value, UNKNOWABLE) or (isinstance(value, Tensor) and value.is_inference()):
            raise Unknowable.of(value)
        if isinstance(value, Tensor):
            return Same(value), value._version
        if isinstance(value, np.generic):
            return value.tobytes()
        if isinstance(value, (list, tuple)):
            return self.all(value)
        if isinstance(value, (set, frozenset)):
            return frozenset(self.all(value))
        if isinstance(value, types.FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            given = (value.__defaults__, value.__kwdefaults__, cells)
            return Same(value.__code__), Same(value.__globals__), self.all(given)
        if isinstance(value, types.MethodType):
            return self.all((value.__func__, value.__self__))
        if isinstance(value, functools.partial):
            return self.all((value.func, value.args, value.keywords))
        items = self.all(value.items()) if isinstance(value, Mapping) else ()
        return items, self.all(_attributes(value).items())

    def all(self, values: Iterable[Any]) -> tuple[Hashable, ...]:
        # Copied first, for another thread may be writing into them.
        return tuple([self.visit(entry) for entry in tuple(values)])


def _attributes(value: Any) -> dict[str, Any]:
    """All of an object's own, in its dictionary and in its slots."""
    found = {}
    for owner in type(value).__mro__:
        names = owner.__dict__.get("__slots__", ())
        for name in [names] if isinstance(names, str) else names:
            private = name.startswith("__") and not name.endswith("__")
            name = f"_{owner.__name__.lstrip('_')}{name}" if private else name
            if name != "__weakref__" and hasattr(value, name):
                found[name] = getattr(value, name)
    if not found and not hasattr(value, "__dict__") and not isinstance(value, Mapping):
        raise Unknowable.of(value)
    return found | dict(getattr(value, "__dict__", {}))
