"""Pure functions of tensors, each traced once and then run as one program.

A small network's inner step is some hundred kernels of a few microseconds, and the interpreter
takes as long again to launch them, while no other thread may run. A program holds the derivative
too: it is what autograd did, written down.
"""

from __future__ import annotations

import threading
import types
import warnings
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from fewstep.tracing import trace


if TYPE_CHECKING:
    from fewstep.net import Net


Function = Callable[..., Any]
"""`function(net, *fixed, *args)`: `args` and what comes back are tensors in dictionaries, lists
and tuples. It may write into `args`. It may read the attributes of `fixed`, and nothing else that
changes: a global is taken for a constant."""

LIMIT = 64
"""Programs of one network. More come of a function that is given something new at every call."""

_TRACING = threading.Lock()
"""One trace at a time in the process: tracing changes how modules are called."""


class Programs:
    """The programs of one network, shared by the threads that run it."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Callable | None, tuple]] = {}

    def find(self, net: Net, function: Function, fixed: tuple, args: tuple) -> Callable | None:
        """What may be called with `args`, or others of their shapes, in place of the function.

        The first time for these shapes it is written, which takes a second or so. None, with a
        warning, where it cannot be, because of control flow that depends on values, say: the
        function is to be called as it is, slower and right.
        """
        key = (function, _snapshot(fixed), _signature(args))
        if key not in self._known:
            with _TRACING:
                if key not in self._known:  # another thread may have been first
                    if len(self._known) >= LIMIT:
                        _warn(function, f"there are {LIMIT} already, for other shapes or settings")
                        return None
                    # What a key knows by its identity is kept, so that no other can have it.
                    self._known[key] = (_program(net.replica(), function, fixed, args), fixed)
        return self._known[key][0]


def _program(net: Net, function: Function, fixed: tuple, args: tuple) -> Callable | None:
    def plain(*args: Any) -> Any:
        return function(net, *fixed, *args)

    try:
        return trace(plain, args)
    except Exception as error:
        _warn(function, str(error).strip().partition("\n")[0] or type(error).__name__)
        return None


def _warn(function: Function, reason: str) -> None:
    name = getattr(function, "__qualname__", function)
    warnings.warn(f"{name} runs without a program, which is slower: {reason}", stacklevel=2)


def _snapshot(value: Any, depth: int = 5) -> Hashable:
    """Equal for values that a function cannot tell apart: an object by its attributes, or by its
    identity if its class says `constant = True`, which is quicker."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return type(value), value
    if isinstance(value, Tensor):
        return id(value), value._version
    if isinstance(value, (list, tuple)):
        return type(value), tuple(_snapshot(entry, depth) for entry in value)
    if isinstance(value, dict):
        return tuple((_snapshot(k), _snapshot(v, depth)) for k, v in value.items())
    opaque = (type, nn.Module, types.FunctionType, types.ModuleType)
    constant = getattr(type(value), "constant", False) is True
    if constant or depth == 0 or isinstance(value, opaque) or not hasattr(value, "__dict__"):
        return type(value), id(value)
    return type(value), _snapshot(vars(value), depth - 1)


def _signature(args: Any) -> Hashable:
    if isinstance(args, Tensor):
        return args.shape, args.stride(), args.dtype, args.device
    if isinstance(args, dict):
        return tuple((name, _signature(value)) for name, value in args.items())
    return type(args), tuple(_signature(value) for value in args)
