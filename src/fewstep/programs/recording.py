"""A pure function of tensors on a GPU: its kernels, recorded once and launched again as one.

A small network's kernels take a GPU a few microseconds each, and the host as long again to launch
one. A recording (a CUDA graph) is launched whole, and meanwhile the host draws the next tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch.utils import _pytree as pytree

from fewstep.programs.faithful import Unfaithful, copied, verify


WARM_UP = 3
"""Calls before the recording: libraries choose their kernels and take their workspaces in them."""


class Recording:
    """The kernels of one call of a function, which are launched again as one.

    It keeps the memory of that call, and the function with all that it reads.
    """

    def __init__(self, function: Callable[..., Any], args: tuple) -> None:
        """Call the function on `args` and record it.

        Raises:
            RuntimeError: it waits for the device, as reading a value does.
            Exception: whatever the function itself raises.
        """
        self._function = function  # what it holds, as a module's buffers, is read by every launch
        inputs, (side, first) = copied(args), _own()
        self._inputs, here = pytree.tree_leaves(inputs), torch.cuda.current_stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                function(*inputs)
            with _waiting_refused():
                function(*inputs)
        here.wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(here), torch.cuda.graph(self._graph, pool=first.pool()):
            self._outputs = function(*inputs)

    def __call__(self, *args: Any) -> Any:
        """The function's results for `args`. Runs on one stream, as PyTorch does by itself."""
        with torch.no_grad():
            torch._foreach_copy_(self._inputs, pytree.tree_leaves(args))
            self._graph.replay()
            return pytree.tree_map(torch.clone, self._outputs)  # the next call overwrites its own


def record(function: Callable[..., Any], args: tuple) -> Recording:
    """What launches the function's kernels, for arguments of the shapes of `args`.

    Raises:
        Unfaithful: an argument is not on a GPU or asks for a gradient, or the recording finds
            something else, as where random numbers are drawn.
        Exception: whatever recording it raises.
    """
    for leaf in pytree.tree_leaves(args):
        if leaf.device.type != "cuda" or leaf.requires_grad:
            raise Unfaithful("an argument is not on the GPU, or asks for a gradient")
    recording = Recording(function, args)
    verify(recording, function, args)
    return recording


@lru_cache
def _own() -> tuple[torch.cuda.Stream, torch.cuda.CUDAGraph]:
    """A stream to warm up on, and a first graph whose memory all recordings of the process share:
    one of them runs at a time, and its results are copied before the next. It is never dropped,
    for PyTorch does not take up again a memory that no graph has."""
    first = torch.cuda.CUDAGraph()
    with torch.cuda.graph(first):
        torch.zeros(1, device="cuda")
    return torch.cuda.Stream(), first


@contextmanager
def _waiting_refused() -> Iterator[None]:
    """Raises where the device is waited for, before a recording would: one that fails leaves
    PyTorch's memory in disorder (pytorch#180395)."""
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(mode)
