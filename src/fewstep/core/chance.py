"""The generators of random numbers that a process has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def generators() -> list[Any]:
    """Where the generators of Python, NumPy, PyTorch and its GPUs are."""
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


@contextmanager
def untouched() -> Iterator[None]:
    """Puts the generators back where they were."""
    python, numpy, cpu, gpus = generators()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
