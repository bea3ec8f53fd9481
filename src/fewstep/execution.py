"""How the tasks of a meta-batch are run: one after another, in threads, or under `vmap`.

Every way gives the same results, to rounding; which is fastest is a matter of the device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from fewstep.memory import copied
from fewstep.net import Net
from fewstep.programs import Programs
from fewstep.recording import record
from fewstep.relay import Follow, Relay, to_the_end
from fewstep.traits import PLAIN, Traits
from fewstep.types import Episode


CPU_THREADS = torch.get_num_threads()
"""What PyTorch was given (its own choice, or OMP_NUM_THREADS) before we share it out."""

PerTask = Callable[..., Any]
"""`function(net, *shared, episode)`: a pure function of one task and of what all tasks share, the
parameters above all. Both come and go as tensors in dictionaries, lists and tuples."""


class Execution(Protocol):
    """A way of running one pure function over the tasks of a meta-batch."""

    name: str
    traits: Traits
    """Of the network."""

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        """`[function(net, *shared, episode) for episode in episodes]`, in that order."""
        ...

    def total(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> Any:
        """The sum of what `map` finds."""
        ...


class _OneByOne:
    """Each task's result is at hand, and they are added in task order, whoever came first."""

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        raise NotImplementedError

    def total(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> Any:
        trees = self.map(function, shared, episodes)
        leaves, structure = pytree.tree_flatten(trees[0])
        sums = [leaf.clone() for leaf in leaves]
        for tree in trees[1:]:
            torch._foreach_add_(sums, pytree.tree_leaves(tree))  # one call for some forty tensors
        return pytree.tree_unflatten(sums, structure)


class Serial(_OneByOne):
    """One task after another, each with all intra-op threads."""

    name = "serial"

    def __init__(self, module: nn.Module, traits: Traits = PLAIN) -> None:
        self.net, self.traits = Net(module, traits=traits).replica(), traits

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        # The same to the last digit on any number of cores, where tasks cannot be shared out.
        torch.set_num_threads(CPU_THREADS if self.traits.plain else 1)
        return [function(self.net.begin(episode), *shared, episode) for episode in episodes]


class Threads(_OneByOne):
    """Tasks spread over threads of one intra-op thread each, and replicas of the network.

    Two threads of tasks use two cores better than two threads inside each convolution, which are
    small here, and an inner step is a program, so that they need not wait for each other's
    interpreter. The calling thread is one of them, and keeps its one intra-op thread: the outer
    step is too small to share, and threads that wait stall when another process wants a core.
    """

    name, traits = "threads", PLAIN

    def __init__(self, module: nn.Module, threads: int | None = None) -> None:
        self.module = module
        self.threads = threads or CPU_THREADS
        self._programs, self._nets = Programs(), deque[Net]()
        self._pool = ThreadPoolExecutor(self.threads, "fewstep", torch.set_num_threads, (1,))

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        torch.set_num_threads(1)  # of this thread alone

        def run(i: int, follow: Follow) -> Any:
            with self._net(follow) as net, torch.enable_grad():  # the caller's mode is its own
                return function(net, *shared, episodes[i])

        threads = min(self.threads, len(episodes))
        relay = Relay(run, len(episodes), threads)
        others = [self._pool.submit(relay.work, thread) for thread in range(1, threads)]
        relay.work(0)
        for other in others:
            other.cancel() or other.result()
        return relay.results

    @contextmanager
    def _net(self, follow: Follow) -> Iterator[Net]:
        """A replica for one task, not for one thread: that may have begun two."""
        try:
            net = self._nets.pop()
        except IndexError:
            net = Net(copied(self.module), programs=self._programs)
        net.follow = follow
        yield net
        net.follow = to_the_end
        self._nets.append(net)


class Vmap:
    """All tasks in one, as a batch of networks: for devices where launching a kernel costs more
    than running it. On a GPU the whole of it is recorded, and launched again as one."""

    name, traits = "vmap", PLAIN

    def __init__(self, module: nn.Module) -> None:
        self.net = Net(module, functional=True).replica()
        weight = next(module.parameters(), None)
        on_gpu = weight is not None and weight.device.type == "cuda"
        # The last tasks of a meta-test are fewer, and once is not worth a recording.
        self._programs = Programs(record, patience=1) if on_gpu else None

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
        stacked = Episode(*(torch.stack(field) for field in zip(*episodes, strict=True)))
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


EXECUTIONS: dict[str, type[Serial] | type[Threads] | type[Vmap]] = {
    "serial": Serial,
    "threads": Threads,
    "vmap": Vmap,
}
