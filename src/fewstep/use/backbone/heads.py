"""Heads on features of length 1: from a few examples a class to a linear layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.class_means import class_means
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.use.way import Curve


SCALE = 14.0
"""What the logits of `prototypes` are multiplied by, so that a softmax of them means something:
squared distances of features of length 1 are from 0 to 4. No answer hangs on it."""
RATE = 30.0
"""Learning rate of `steps`."""
PENALTY = 100.0
"""The inverse strength of the penalty in `logistic`, scikit-learn's C."""

Head = Callable[[Tensor, Tensor, int, int], tuple[nn.Linear, Curve]]
"""From features [n, D], classes [n] int64, their number and a number of gradient steps."""


def prototypes(x: Tensor, y: Tensor, ways: int, steps: int) -> tuple[nn.Linear, Curve]:
    """A class at the mean c of its features: w = 2c, b = -|c|^2, so that logits are minus squared
    distances but for what all classes share (Snell et al. 2017, eq. 8), times `SCALE`."""
    means = class_means(x, y, ways)
    made = _linear(2 * SCALE * means, -SCALE * means.square().sum(1))
    return made, [(0, _loss(made, x, y))]


def logistic(x: Tensor, y: Tensor, ways: int, steps: int) -> tuple[nn.Linear, Curve]:
    """scikit-learn's logistic regression."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=PENALTY, max_iter=1000).fit(x.double().numpy(), y.numpy())
    weight, bias = (torch.from_numpy(a) for a in (fitted.coef_, fitted.intercept_))
    if len(weight) == 1:  # of two classes it keeps the difference of their logits
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    whole = torch.zeros(ways, x.shape[1], dtype=torch.float64)
    shift = torch.zeros(ways, dtype=torch.float64)
    whole[fitted.classes_], shift[fitted.classes_] = weight, bias
    made = _linear(whole.to(x.dtype), shift.to(x.dtype))
    return made, [(0, _loss(made, x, y))]


def steps(x: Tensor, y: Tensor, ways: int, steps: int) -> tuple[nn.Linear, Curve]:
    """Gradient steps on all examples at once, from `prototypes`."""
    made, curve = prototypes(x, y, ways, 0)[0].requires_grad_(True), []
    optimizer = torch.optim.SGD(made.parameters(), RATE)
    for step in range(steps + 1):
        optimizer.zero_grad()
        loss = F.cross_entropy(made(x), y)
        curve.append((step, float(loss.detach())))
        if step < steps:
            loss.backward()
            optimizer.step()
    return made.requires_grad_(False), curve


STEPPED = "steps"
"""The one head whose steps can be chosen."""
HEADS: dict[str, Head] = {"prototypes": prototypes, "logistic": logistic, STEPPED: steps}
"""The simplest first."""


def check_head(name: str, head: str, steps: int | None) -> None:
    """Refuse a head that the network called `name` has not, or `steps` of one that takes none.

    Raises:
        ConfigError: naming those that there are.
    """
    if not isinstance(head, str) or head not in HEADS:
        raise ConfigError(
            f"head={head}: of {name} it is one of {', '.join(HEADS)}."
            f"{did_you_mean(str(head), HEADS)}"
        )
    if steps is not None and head != STEPPED:
        raise ConfigError(
            f"steps={steps}: head={head} of {name} takes none. Use head={STEPPED}, or leave steps "
            "out"
        )


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        made.weight.copy_(weight)
        made.bias.copy_(bias)
    return made.requires_grad_(False)


@torch.no_grad()
def _loss(made: nn.Linear, x: Tensor, y: Tensor) -> float:
    return float(F.cross_entropy(made(x), y))
