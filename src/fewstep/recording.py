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


def record(function: Callable[..., Any], args: tuple) -> Callable[..., Any]:
    """What launches the function's kernels, for arguments of the shapes of `args`.

    It keeps the memory of one call. Whoever calls it runs on one stream, as PyTorch does by itself.

    Raises:
        Unfaithful: an argument is not on a GPU, it draws random numbers, or the recording finds
            something else.
        RuntimeError: it waits for the device, as reading a value does.
        Exception: whatever the function itself raises.
    """
    inputs = copied(args)
    leaves = pytree.tree_leaves(inputs)
    if any(leaf.device.type != "cuda" for leaf in leaves):
        raise Unfaithful("an argument is not on the GPU")

    before = chance()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = function(*inputs)
    if chance() != before:
        raise Unfaithful("it draws random numbers")

    def run(*args: Any) -> Any:
        with torch.no_grad():
            torch._foreach_copy_(leaves, pytree.tree_leaves(args))
            graph.replay()
            return pytree.tree_map(torch.clone, outputs)  # the next call overwrites its own

    verify(run, function, args)
    return run
