"""A regressor: a plain network that a few points have made of an initialization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewstep.core.chance import untouched
from fewstep.core.memory import copied, forgetting
from fewstep.data.row_preparation import RowPreparation
from fewstep.messages.errors import ConfigError, first_line
from fewstep.use.learning import Learner, Unfit
from fewstep.use.network import like_parameters
from fewstep.use.rows import numbers_of, vectors_of
from fewstep.use.surroundings import as_usual
from fewstep.use.way import Curve


class Regressor:
    """What a few points have made of an initialization: by `fewstep.load(...).regress(...)`."""

    def __init__(
        self, network: nn.Module, curve: Curve, scalar: bool, rows: RowPreparation
    ) -> None:
        self.rows = rows
        """What points look like."""
        self.network = network
        """From inputs [B, d] to values [B, D]; in evaluation mode."""
        self.curve = curve
        """`(inner step, mean loss on the given points)`."""
        self.scalar = scalar
        """Whether a value is one number: answers are [n] then, not [n, D]."""

    @classmethod
    def learned(cls, learner: Learner, x: Any, y: Any) -> Regressor:
        """Learn from points: x as `predict` takes them, y [n] or [n, D].

        Raises:
            ValueError: values that are not finite, of another number than points, or of another
                dimension than the network's.
        """
        inputs, values = points_of(x), _values(y)
        if len(values) != len(inputs):
            raise ConfigError(f"y: there are {len(values)} values, and {len(inputs)} points")
        given = values[:, None] if values.ndim == 1 else values
        answer = getattr(learner.objective, "answer", None)
        first = _first_answer(learner.module, inputs[:1])
        shape = tuple((answer(first) if answer else first).shape[1:])
        if given.shape[1:] != shape:
            raise ConfigError(
                f"y: a value has shape {tuple(given.shape[1:])}, and the network was trained to "
                f"give {shape}. Give y as [{', '.join(map(str, ('n', *shape)))}]"
            )
        network, curve = learner.learn(inputs, given, learner.ways)
        network = Answering(network, answer) if answer else network
        rows = RowPreparation(tuple(inputs.shape[1:]))
        return cls(network, curve, values.ndim == 1, rows)

    @as_usual()
    @torch.no_grad()
    def predict(self, x: Any) -> np.ndarray:
        """The value at each point: [n] float32, or [n, D] where such were learned.

        Args:
            x: rows of numbers [n, d], or n numbers for d = 1.

        Raises:
            ValueError: no finite numbers, or of another dimension than it has learned.
        """
        with forgetting(self.network.modules()):
            values = self.network(points_of(x, self.rows)).float().numpy()
        return values[:, 0] if self.scalar else values

    def score(self, x: Any, y: Any) -> float:
        """The share of the variance of y [n] or [n, D] that is told (R², scikit-learn's).

        Raises:
            ValueError: as `predict`, or another number of values than points.
        """
        from sklearn.metrics import r2_score

        return float(r2_score(_values(y).numpy(), self.predict(x)))


class Answering(nn.Module):
    """A network whose outputs are yet to be made an answer, and what makes it one."""

    def __init__(self, network: nn.Module, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        """Values [B, D] of inputs [B, d]."""
        return self.answer(self.network(x))


def _first_answer(module: nn.Module, x: Tensor) -> Tensor:
    """What a copy of the network answers, in evaluation mode."""
    one = copied(module).eval()
    try:
        with torch.no_grad(), untouched():
            return one(like_parameters(x, one))
    except RuntimeError as error:
        shape = "x".join(map(str, x.shape[1:]))
        raise Unfit(
            f"its network does not take points of {shape} ({first_line(error)[:120]}). Give x in "
            "the shape that it was trained on"
        ) from None


def points_of(x: Any, rows: RowPreparation | None = None) -> Tensor:
    """Points [n, d] float32, of rows of numbers or of n numbers.

    Raises:
        ValueError: no finite numbers, or of another shape than `rows`.
    """
    found = numbers_of(x, "x")
    return vectors_of(found[:, None] if found.ndim == 1 else found, rows)


def _values(y: Any) -> Tensor:
    found = numbers_of(y, "y")
    if np.iscomplexobj(found):
        raise ConfigError("y: holds complex numbers, and must hold real ones")
    found = found.astype(np.float32)
    if found.ndim not in (1, 2):
        raise ConfigError(f"y: an array of shape {found.shape}, where [n] or [n, D] is needed")
    if not np.isfinite(found).all():
        raise ConfigError("y: contains NaN or infinity. Leave these points out")
    return torch.from_numpy(found)
