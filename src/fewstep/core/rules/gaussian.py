"""Normal numbers as a pure function of a key and a place: the same in any order, on any device.

SplitMix64's finaliser turns (key, step, stream, entry) into uniform numbers, and Box and Muller
turn two streams of these into normal ones. Integers wrap as they do in C.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _signed(word: int) -> int:
    """The same 64 bits as a signed number."""
    return word - (1 << 64) if word >> 63 else word


GOLDEN = _signed(0x9E3779B97F4A7C15)
FIRST, SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def gaussian(key: Tensor, step: Tensor, first: int, count: int) -> Tensor:
    """Entries first, first + 1, ... of a step's noise: [count] float64; key and step [] int64."""
    entries = torch.arange(first, first + count, dtype=torch.int64, device=key.device)
    uniform = [_uniform(key, step, stream, entries) for stream in (0, 1)]
    return torch.sqrt(-2 * uniform[0].log()) * torch.cos(2 * math.pi * uniform[1])


def _uniform(key: Tensor, step: Tensor, stream: int, entries: Tensor) -> Tensor:
    """Above 0, up to 1."""
    word = _mixed(_mixed(key + GOLDEN) + step * GOLDEN + stream)
    word = _mixed(word + entries * GOLDEN + GOLDEN)
    return (_shifted(word, 11) + 1).to(torch.float64) * 2.0**-53


def _mixed(word: Tensor) -> Tensor:
    word = (word ^ _shifted(word, 30)) * FIRST
    word = (word ^ _shifted(word, 27)) * SECOND
    return word ^ _shifted(word, 31)


def _shifted(word: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)
