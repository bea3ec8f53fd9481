"""Attention that can be differentiated twice.

PyTorch's fast kernels of `scaled_dot_product_attention` have no second derivative; the one that is
written in plain operations has. Which of them may run is a switch of the whole process, and
`torch.nn.attention.sdpa_kernel` is for one thread: of several, each leaves it as it found it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cuda


FAST = (
    (cuda.flash_sdp_enabled, cuda.enable_flash_sdp),
    (cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp),
    (cuda.cudnn_sdp_enabled, cuda.enable_cudnn_sdp),
)
"""The switches of the fast kernels, which a CPU goes by too: how each is read, and set."""

_LOCK = threading.Lock()
_before: list[bool] = []
_inside = 0


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Attention takes the plain kernel until the last thread that is in here has left."""
    global _inside
    with _LOCK:
        if not _inside:
            _before[:] = [is_on() for is_on, _ in FAST]
            _set([False] * len(FAST))
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                _set(_before)


def _set(states: list[bool]) -> None:
    for (_, switch), state in zip(FAST, states, strict=True):
        switch(state)
