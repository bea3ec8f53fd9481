"""The execution of a learner, for as long as its copies of the network are true."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from fewstep.core.net import Net
from fewstep.core.types import Episode
from fewstep.execution.base import Execution
from fewstep.execution.choice import make_execution
from fewstep.run.checks.own_trainer import check_network


class Executing:
    """Makes the execution for the first task that is met, when the module is where it will train.

    An execution holds copies of what nobody moves, so it is made again where that has changed. It
    holds threads and programs too, and goes into neither a copy of its learner nor a pickle.
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self.made: Execution | None = None
        self._held: list[Hashable] = []

    def meet(self, name: str, device: torch.device, episode: Episode) -> Execution:
        """What runs the tasks, of which this is one; `name` as `execution=` has it."""
        if self.made is None:
            self.made = make_execution(name, self.net.module, device, episode)
            self._held = self._stamp()
        return self.made

    def refresh(self) -> None:
        """Let go of an execution whose network has other constants by now, or has moved.

        Raises:
            ConfigError: something else of it is to be learned by now, or nothing.
        """
        check_network(self.net)
        if self._held != self._stamp():
            self.made = None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Inside, the network is loaded; where its constants keep their values, so does all."""
        fresh = self._held == self._stamp()
        before = {name: value.clone() for name, value in self.net.constants().items()}
        yield
        same = all(torch.equal(before[n], value) for n, value in self.net.constants().items())
        if fresh and same:
            self._held = self._stamp()
        else:
            self.made = None

    def _stamp(self) -> list[Hashable]:
        """Another one after a constant was written into or replaced, or anything was moved."""
        kinds = [(n, p.dtype, p.device) for n, p in self.net.params().items()]
        constants = self.net.constants().items()
        writes = [0 if value.is_inference() else value._version for _, value in constants]
        places = [(n, v.dtype, v.device, v.data_ptr()) for n, v in constants]
        return [*kinds, *places, *writes]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "made": None}
