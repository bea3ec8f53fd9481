"""Attention that can be differentiated twice.

PyTorch's fast kernels of `scaled_dot_product_attention` have no second derivative; the one that is
written in plain operations has. Which of them may run is a switch of the whole process, so that
`torch.nn.attention.sdpa_kernel` in two threads at once leaves it as either of them found it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch.nn.attention import SDPBackend, sdpa_kernel


_LOCK = threading.Lock()
_SWITCH = ExitStack()
_inside = 0


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Attention takes the plain kernel until the last thread that is in here has left."""
    global _inside
    with _LOCK:
        if not _inside:
            _SWITCH.enter_context(sdpa_kernel(SDPBackend.MATH))
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                _SWITCH.close()
