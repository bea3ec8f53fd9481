"""What is learned in a task: the losses and metrics that a dataset brings along.

Losses are per example, because whether an inner loop sums or averages them is the algorithm's
choice (the authors sum, paper section 3), and they are built from functions that `torch.func` can
differentiate and map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from fewstep.core.types import Metrics


class Objective(Protocol):
    """The losses and metrics that a dataset brings along.

    Losses are per example, so that the inner loop may sum or average. `outputs` are a tensor or a
    dictionary of tensors, an entry an example. Each method may have a third parameter `given`: the
    task's `extras` by name, with what the network takes. It may say in `unit` what its loss is:
    the axes of pictures have that in words; and in a method `answer` what value outputs come to,
    where they are not that value themselves.
    """

    def inner_loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """The loss of each example, [B], that the inner loop descends."""
        ...

    def outer_loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """The loss of each query example, [B], that the outer loop descends."""
        ...

    def metrics(self, outputs: Any, targets: Tensor) -> Metrics:
        """Scalars for the log and the results: `loss`, and `acc` (a fraction) where it exists."""
        ...


def ask(
    objective: Objective, name: str, outputs: Any, targets: Tensor, given: Mapping[str, Tensor]
) -> Any:
    """What its method of this name says, which is told what is given where it wants to know."""
    method = getattr(objective, name)
    wants = _wants_given(getattr(method, "__func__", method))
    return method(outputs, targets, given) if wants else method(outputs, targets)


@lru_cache
def _wants_given(method: Callable[..., Any]) -> bool:
    try:
        return "given" in signature(method).parameters
    except ValueError:  # of some built-in functions
        return False


@dataclass(frozen=True)
class Classification:
    """Which of the task's N classes is it: cross-entropy, and accuracy as a fraction."""

    unit: ClassVar[str] = "cross-entropy, nats"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats of logits [B, N] against class positions [B] (int64): [B]."""
        return F.cross_entropy(outputs, targets, reduction="none")

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The same as `inner_loss`."""
        return self.inner_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        """`loss`, the mean cross-entropy, and `acc`, the fraction of right answers: scalars."""
        right, outputs = outputs.argmax(dim=-1) == targets, wide(outputs)
        return {
            "loss": self.inner_loss(outputs, targets).mean(),
            "acc": right.to(outputs.dtype).mean(),
        }


@dataclass(frozen=True)
class Regression:
    """What is the value of the function there: squared error, averaged over output dimensions."""

    unit: ClassVar[str] = "mean squared error"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error of outputs [B, D] against targets [B, D], averaged over D: [B]."""
        return (outputs - targets).square().flatten(1).mean(dim=1)

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The same as `inner_loss`."""
        return self.inner_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        """`loss`, the mean squared error: a scalar."""
        return {"loss": self.inner_loss(wide(outputs), wide(targets)).mean()}


def wide(values: Tensor) -> Tensor:
    """In a precision whose means can be reported: bfloat16 has three digits."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def are_shares(objective: Objective, outputs: Tensor) -> bool:
    """Whether outputs [B, N] are probabilities, of which this objective takes a softmax again."""
    takes = getattr(type(objective), "inner_loss", None) is Classification.inner_loss
    sums = outputs.sum(-1)
    return takes and bool((outputs >= 0).all()) and bool(((sums - 1).abs() < 1e-2).all())


@dataclass(frozen=True)
class ChainMean:
    """Squared error of several answers [B, C] to one question each: every one of them learns, and
    their mean is what counts."""

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Half the squared error, summed over answers: [B] of [B, C] against targets [B, 1]."""
        return 0.5 * (outputs - targets).square().sum(dim=1)

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The squared error of the mean answer: [B]."""
        return (self.answer(outputs) - targets)[:, 0].square()

    def answer(self, outputs: Tensor) -> Tensor:
        """The mean answer, [B, 1]: what outputs come to where somebody wants to know."""
        return outputs.mean(dim=1, keepdim=True)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        """`loss`, the mean squared error of the mean answer: a scalar."""
        return {"loss": self.outer_loss(wide(outputs), wide(targets)).mean()}
