"""All tasks in one, as a batch of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from fewstep.core.net import Net
from fewstep.core.traits import PLAIN
from fewstep.core.types import Episode
from fewstep.execution.base import CPU_THREADS, PerTask
from fewstep.programs.library import Programs
from fewstep.programs.recording import record


class Vmap:
    """All tasks in one, as a batch of networks: for devices where launching a kernel costs more
    than running it. On a GPU the whole of it is recorded, and launched again as one."""

    name, traits = "vmap", PLAIN

    def __init__(self, module: nn.Module) -> None:
        self.net = Net(module, functional=True).replica()
        weight = next(module.parameters(), None)
        on_gpu = weight is not None and weight.device.type == "cuda"
        # The last tasks of a meta-test are fewer, and once is not worth a recording.
        self._programs = Programs(record, patience=1) if on_gpu and self.net.may_be_traced else None

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        leaves, structure = pytree.tree_flatten(self._run(every_task, function, shared, episodes))
        return [
            pytree.tree_unflatten([leaf[i] for leaf in leaves], structure)
            for i in range(len(episodes))
        ]

    def total(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> Any:
        return self._run(_sum, function, shared, episodes)

    def _run(
        self, whole: Callable, function: PerTask, shared: tuple, episodes: Sequence[Episode]
    ) -> Any:
        torch.set_num_threads(CPU_THREADS)
        stacked = pytree.tree_map(lambda *same: torch.stack(same), *episodes)
        args = pytree.tree_map(in_plain_memory, (shared, stacked))
        program = self._programs and self._programs.find(self.net, whole, (function,), args)
        return program(*args) if program else whole(self.net, function, *args)


def every_task(net: Net, function: PerTask, shared: tuple, episodes: Episode) -> Any:
    """Every task's results, stacked."""
    # No task is random inside, so there is nothing to be refused.
    run = torch.func.vmap(lambda episode: function(net, *shared, episode), randomness="error")
    return run(episodes)


def in_plain_memory(leaf: Tensor) -> Tensor:
    """On a GPU, kernels and images not in channels-last memory: the derivative of cuDNN's batch
    norm would copy what comes after it into the same order, which `vmap` does not know."""
    if not leaf.is_cuda or leaf.stride() == torch.empty(leaf.shape, device="meta").stride():
        return leaf
    return leaf.clone(memory_format=torch.contiguous_format)


def _sum(net: Net, function: PerTask, shared: tuple, episodes: Episode) -> Any:
    return pytree.tree_map(lambda leaf: leaf.sum(0), every_task(net, function, shared, episodes))
