"""Random numbers inside a forward pass, as a function of the task and of the place in it.

Dropout and its like draw from the generators of the whole process. Here these are set for one
forward pass and put back after it, so that a task sees the same noise on any device, in any order
of tasks, in a resumed run and in `fewstep evaluate`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


_WORD = (1 << 64) - 1


@contextmanager
def noise(key: int, forward_pass: int) -> Iterator[None]:
    """Inside, Python, NumPy and PyTorch draw what hangs on the two numbers alone.

    Not for two threads at a time: the generators are those of the process.
    """
    before, seed = generators(), _mixed(_mixed(key) ^ forward_pass)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        _restore(before)


def generators() -> list[Any]:
    """Where the generators of the process are."""
    of_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [random.getstate(), np.random.get_state(), torch.get_rng_state(), of_gpus]


def drew(before: list[Any]) -> bool:
    """Whether anybody asked them for a number since then."""
    python, numpy, cpu, gpus = before
    now = generators()
    return not (
        now[0] == python
        and now[1][2] == numpy[2]
        and np.array_equal(now[1][1], numpy[1])
        and all(map(torch.equal, [now[2], *now[3]], [cpu, *gpus]))
    )


def _restore(before: list[Any]) -> None:
    python, numpy, cpu, gpus = before
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(cpu)
    if gpus:
        torch.cuda.set_rng_state_all(gpus)


def _mixed(number: int) -> int:
    """SplitMix64's finalizer: near numbers become far ones."""
    number = (number + 0x9E3779B97F4A7C15) & _WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _WORD
    return number ^ (number >> 31)
