"""How the steps of an inner loop are taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any


Follow = Callable[[Iterator[Any], int], Any]
"""`follow(steps, count)`: takes all steps, of which there are `count` (one at least), and says
what the last of them found."""


def to_the_end(steps: Iterator[Any], count: int | None = None) -> Any:
    """Take all steps, here and now, however many."""
    return deque(steps, maxlen=1)[0]
