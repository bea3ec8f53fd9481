"""Random numbers inside a forward pass, as a function of the task and of the place in it.

Dropout and its like draw from the generators of the whole process. Here these are set for one
forward pass and put back after it, so that a task sees the same noise on any device, in any order
of tasks, in a resumed run and in `fewstep evaluate`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from fewstep.core.chance import untouched


_WORD = (1 << 64) - 1


@contextmanager
def noise(key: int, forward_pass: int) -> Iterator[None]:
    """Inside, Python, NumPy and PyTorch draw what hangs on the two numbers alone.

    Not for two threads at a time: the generators are those of the process.
    """
    seed = _mixed(_mixed(key) ^ forward_pass)
    with untouched():
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        torch.manual_seed(seed)
        yield


def _mixed(number: int) -> int:
    """SplitMix64's finalizer: near numbers become far ones."""
    number = (number + 0x9E3779B97F4A7C15) & _WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _WORD
    return number ^ (number >> 31)
