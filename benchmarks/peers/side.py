"""What every side of the comparison looks like from outside, and what the peers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from fewstep.core.types import Episode
from peers.work import BETA2, Work


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


class Tester(Protocol):
    """A side that can also do the meta-test."""

    def meta_test(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """For each protocol, [tasks, 2]: the loss and the accuracy of every task."""
        ...


class Peer:
    """The base of the peers: one method an algorithm."""

    name: str

    def __init__(self, work: Work, model: nn.Module) -> None:
        self.work, self.model = work, model
        self.setup()

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
