"""What a task has done, done once more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fewstep.core.memory import Mark
from fewstep.core.net import Net


@contextmanager
def again(net: Net, mark: Mark) -> Iterator[None]:
    """Inside, a network draws what it drew from a mark on, and remembers what it did there: a
    derivative by a step is of that step, and not of one with other noise."""
    here = net.mark()
    net.rewind(mark)
    try:
        yield
    finally:
        net.rewind(here)
