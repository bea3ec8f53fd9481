"""What every side of the comparison looks like from outside, and what the peers share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from fewstep.core.types import Episode
from peers.work import BETA2, Work


LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


@dataclass(frozen=True)
class Settings:
    """What a peer's user may choose without another result."""

    threads: int = 1
    """Inside each operator."""
    layout: str = "contiguous"
    """Of the weights in memory: a key of `LAYOUTS`."""
    workers: int = 1
    """Tasks at a time, each on a thread of its own."""
    compiled: bool = False
    """The net's forward and backward pass by `torch.compile`."""

    def __str__(self) -> str:
        parts = [f"{self.threads} thread{'s' * (self.threads > 1)}", self.layout]
        parts += [f"{self.workers} tasks at a time"] * (self.workers > 1)
        return ", ".join(parts + ["torch.compile"] * self.compiled)


class Side(Protocol):
    """One way of doing the work. It is given a model of its own to keep the initialization in."""

    name: str
    model: nn.Module

    def __init__(self, work: Work, model: nn.Module) -> None: ...

    @staticmethod
    def net(work: Work) -> nn.Module:
        """The net that this side's users would have."""
        ...

    def directions(self, episodes: Sequence[Episode]) -> None:
        """Leave the tasks' mean direction in `.grad` of the model's parameters."""
        ...


class Peer:
    """The base of the peers: one method an algorithm."""

    name: str

    def __init__(self, work: Work, model: nn.Module, settings: Settings | None = None) -> None:
        self.work, self.model, self.settings = work, model, settings or Settings()
        self.setup()

    @staticmethod
    def compiles(work: Work) -> bool:
        """Whether its net can be compiled: not where it is made anew for every task, nor where
        its gradient is differentiated, which `torch.compile` refuses."""
        return False

    @staticmethod
    def workers(threads: int) -> list[int]:
        """Numbers of tasks at a time to try."""
        return [1]

    @classmethod
    def variants(cls, work: Work, threads: int) -> list[Settings]:
        """All that is tried: threads go to operators or to tasks, never to both; a compiled net
        has them all, and chooses the layout of what it makes itself."""
        split = [(count, 1) for count in sorted({1, threads}, reverse=True)]
        split += [(1, workers) for workers in cls.workers(threads) if workers > 1]
        return [
            Settings(count, layout, workers, compiled)
            for (count, workers), layout in itertools.product(split, LAYOUTS)
            for compiled in (False, True)
            if not compiled
            or (cls.compiles(work) and count * workers == threads and layout == "channels-last")
        ]

    @staticmethod
    def net(work: Work) -> nn.Module:
        """PyTorch's own layers."""
        return work.library_model()

    def setup(self) -> None:
        """What is made once and not at every meta-iteration."""

    def directions(self, episodes: Sequence[Episode]) -> None:
        """Leave the tasks' mean direction in `.grad` of the model's parameters."""
        self.model.zero_grad()
        getattr(self, self.work.algorithm)(episodes)
        for parameter in self.model.parameters():
            parameter.grad /= len(episodes)

    def add(self, direction: Iterable[Tensor]) -> None:
        """Add one task's direction to what is there."""
        for parameter, part in zip(self.model.parameters(), direction, strict=True):
            if parameter.grad is None:
                parameter.grad = part
            else:
                parameter.grad += part

    @torch.no_grad()
    def add_way_back(self, end: Iterable[Tensor]) -> None:
        """Add Reptile's direction: where the task started less where it ended."""
        self.add([p - q for p, q in zip(self.model.parameters(), end, strict=True)])


def torch_optimizer(work: Work, params: Iterable[Tensor]) -> torch.optim.Optimizer:
    """PyTorch's own inner optimizer, in its fastest form here: all parameters in one call.

    Its Adam adds epsilon after the bias correction and keeps a first moment even for beta1 = 0.
    """
    if work.rule == "sgd":
        return torch.optim.SGD(params, lr=work.lr, fused=True)
    betas = (0.0, BETA2)
    return torch.optim.Adam(params, lr=work.lr, betas=betas, eps=work.eps, fused=True)
