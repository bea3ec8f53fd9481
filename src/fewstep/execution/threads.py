"""Tasks spread over threads, each with a replica of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from fewstep.core.fast.follow import Follow, to_the_end
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.traits import PLAIN
from fewstep.core.types import Episode
from fewstep.execution.base import CPU_THREADS, OneByOne, PerTask
from fewstep.execution.relay import Relay
from fewstep.programs.library import Programs


class Threads(OneByOne):
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
            if not other.cancel():
                other.result()
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
