"""Numbers from random bits: the same on every machine, whatever NumPy's own methods become."""

from __future__ import annotations

import numpy as np


def uniform(words: np.ndarray) -> np.ndarray:
    """In (0, 1), from 64 random bits each."""
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normal(words: np.ndarray) -> np.ndarray:
    """Standard normal ones, half as many as words."""
    return box_muller(*np.split(uniform(words), 2))


def box_muller(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Standard normal numbers of uniform ones (Box and Muller 1958)."""
    return np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
