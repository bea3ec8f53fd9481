"""Pure functions of tensors, each written down once and then run as one program.

A small network's inner step is some hundred kernels of a few microseconds, and the interpreter
takes as long again to launch them, while no other thread may run. A program holds the derivative
too: it is what autograd did, written down. On a CPU it is traced, on a GPU it is recorded.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from torch import Tensor

from fewstep.programs.snapshot import snapshot
from fewstep.programs.tracing import trace


class Net(Protocol):
    """What the functions are of: a network that can be copied, in one of two modes."""

    answers: bool
    """Whether it is in evaluation mode."""

    def replica(self) -> Net:
        """A private copy, to write a program with."""
        ...


Function = Callable[..., Any]
"""`function(net, *fixed, *args)`: `args` and what comes back are tensors in dictionaries, lists
and tuples. Where it is traced it may write into `args`. It may read what `fixed` holds (see
`snapshot`), and nothing else that changes: a global is taken for a constant."""

Writer = Callable[[Callable[..., Any], tuple], Callable[..., Any]]
"""`writer(function, args)`: what does the same as the function for arguments of these shapes.
Raises what keeps it from doing so."""

LIMIT = 64
"""Programs of one network. More come of a function that is given something new at every call."""

_WRITING = threading.Lock()
"""One at a time in the process: tracing changes how modules are called."""


class Programs:
    """The programs of one network, shared by the threads that run it."""

    def __init__(self, writer: Writer = trace, patience: int = 0) -> None:
        """`patience`: how often a function is called as it is before it is written down."""
        self.writer, self.patience = writer, patience
        self._known: dict[Hashable, Callable | None] = {}
        self._met: Counter[Hashable] = Counter()

    def find(self, net: Net, function: Function, fixed: tuple, args: tuple) -> Callable | None:
        """What may be called with `args`, or others of their shapes, in place of the function.

        The first time for these shapes (with patience, a later one) it is written, which takes a
        second or so. None, with a warning, where it cannot be, because of control flow that depends
        on values, say: the function is to be called as it is, slower and right.
        """
        try:
            key = snapshot((function, fixed)), signature(args), net.answers
        except Exception as error:  # whatever a foreign object does when it is looked at
            _warn(function, _first_line(error))
            return None
        if key not in self._known:
            if self._is_early(key):
                return None
            with _WRITING:
                if key not in self._known:  # another thread may have been first
                    if len(self._known) >= LIMIT:
                        _warn(function, f"there are {LIMIT} already, for other shapes or settings")
                        return None
                    self._known[key] = self._write(net.replica(), function, fixed, args)
        return self._known[key]

    def _is_early(self, key: Hashable) -> bool:
        """Whether this meeting is one of the first, in which patience is had."""
        if self._met[key] >= self.patience:
            return False
        if len(self._met) >= LIMIT:  # of functions that are new at every call
            self._met.clear()
        self._met[key] += 1
        return True

    def _write(self, net: Net, function: Function, fixed: tuple, args: tuple) -> Callable | None:
        def plain(*args: Any) -> Any:
            return function(net, *fixed, *args)

        try:
            return self.writer(plain, args)
        except Exception as error:
            _warn(function, _first_line(error))
            return None


def _warn(function: Function, reason: str) -> None:
    name = getattr(function, "__qualname__", function)
    warnings.warn(f"{name} runs without a program, which is slower: {reason}", stacklevel=2)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def signature(args: Any) -> Hashable:
    """The form of tensors in dictionaries, lists and tuples, for which a program is written."""
    if isinstance(args, Tensor):
        return args.shape, args.stride(), args.dtype, args.device
    if isinstance(args, dict):
        return tuple((name, signature(value)) for name, value in args.items())
    return type(args), tuple(signature(value) for value in args)
