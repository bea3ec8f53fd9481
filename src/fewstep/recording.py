"""A pure function of tensors on a GPU: its kernels, recorded once and launched again as one.

A small network's kernels take a GPU a few microseconds each, and the host as long again to launch
one. A recording (a CUDA graph) is launched whole, and meanwhile the host draws the next tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

from fewstep.faithful import Unfaithful, chance, copied, verify


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
        inputs = copied(args)
        self._inputs = pytree.tree_leaves(inputs)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                function(*inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
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
        Unfaithful: an argument is not on a GPU, it draws random numbers, or the recording finds
            something else.
        Exception: whatever recording it raises.
    """
    if any(leaf.device.type != "cuda" for leaf in pytree.tree_leaves(args)):
        raise Unfaithful("an argument is not on the GPU")
    before = chance()
    recording = Recording(function, args)
    if chance() != before:
        raise Unfaithful("it draws random numbers")
    verify(recording, function, args)
    return recording
