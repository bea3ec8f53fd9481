"""Small learning problems whose answers are known by other means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.direct import Direct
from fewstep.algorithms.eigen_reptile import EigenReptile
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.harmony import Harmony
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.multi_step import MultiStep
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Classification, Regression
from fewstep.core.rules import SGD, Adam, Prox
from fewstep.core.types import Episode, Metrics, Params
from fewstep.models import MAMLOmniglotConv, MiniImagenetConv, OmniglotConv


DRAWN_BACK = Prox(0.05, lam=2.0)
ALGORITHMS: dict[str, Callable] = {
    "reptile": Reptile,
    "fomaml": FOMAML,
    "maml": MAML,
    "joint": Joint,
    "binomial": lambda inner: Binomial(inner, order=2),
    "truncated": lambda inner: Binomial(inner, order=1, window=1),
    "imaml": lambda inner: IMAML(replace(inner, rule=DRAWN_BACK, batch_size=None)),
    "hessian_free": HessianFree,
    "eigen_reptile": EigenReptile,
    "mamlpp": lambda inner: MultiStep(inner, weights=(0.2, 0.3, 0.5)),
    "combination": lambda inner: Combination(inner, [0.5, 0, 2]),
    "protonet": lambda inner: Direct(),
    "harmony": Harmony,
}
"""Of three inner steps."""
NO_MEMORY = ("binomial", "truncated", "imaml", "hessian_free", "protonet")
REFUSES: dict[str, set[str]] = {name: {"adam"} for name in NO_MEMORY}
REFUSES |= {"harmony": {"sgd", "adam"}}  # with any network but its own, see test_harmony
"""The `RULES` under which an algorithm cannot run, by its name."""
DEAR = {"maml", "binomial", "truncated", "imaml", "mamlpp"}
"""Those whose programs of steps through convolutions take ten seconds each to write."""
RULES = {"sgd": SGD(0.05), "adam": Adam(0.002)}
NETWORKS = {
    "omniglot": lambda: OmniglotConv(3, size=12, channels=8),
    "maml omniglot": lambda: MAMLOmniglotConv(3, size=12, channels=8),
    "miniimagenet": lambda: MiniImagenetConv(3, in_channels=1, size=9, channels=4),
}
"""The shipped convolutions, small; their tasks are those of `network_episodes`."""


def runs_under(algorithm: str, rule: str) -> bool:
    """Whether an algorithm of the table runs under a rule."""
    return rule not in REFUSES.get(algorithm, ())


class HalfSquare:
    """0.5 (x.w)^2 in the inner loop; 0.5 (x.w)^2 or x.w in the outer one."""

    def __init__(self, linear_outer: bool = False) -> None:
        self.linear_outer = linear_outer

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * outputs[:, 0] ** 2

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs[:, 0] if self.linear_outer else self.inner_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        return {"loss": self.inner_loss(outputs, targets).mean()}


def linear(weights: list[float]) -> Net:
    """x -> x.w without a bias."""
    module = nn.Linear(len(weights), 1, bias=False)
    module.weight.data = torch.tensor([weights])
    return Net(module)


def one_example(support: list[float], query: list[float], steps: int) -> Episode:
    """A task of one support and one query example."""
    nothing = torch.zeros(1)
    rows = torch.zeros(steps, 1, dtype=torch.int64)
    return Episode(torch.tensor([support]), nothing, torch.tensor([query]), nothing, rows)


def small_net(seed: int = 0) -> Net:
    """A smooth network in float64, small enough for finite differences."""
    torch.manual_seed(seed)
    return Net(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double())


def small_episode(seed: int = 0, steps: int = 3) -> Episode:
    """A regression task for `small_net`: 6 support and 4 query points, minibatches of 2."""
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randn(10, 3, generator=g).double(), torch.randn(10, 2, generator=g).double()
    rows = torch.stack([torch.randperm(6, generator=g)[:2] for _ in range(steps)])
    return Episode(x[:6], y[:6], x[6:], y[6:], rows)


def image_episode(seed: int = 0, steps: int = 3, size: int = 28, channels: int = 1) -> Episode:
    """A 3-way task of random images in float64: 12 support, 6 query, minibatches of 4."""
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(18, channels, size, size, generator=g).double()
    rows = torch.stack([torch.randperm(12, generator=g)[:4] for _ in range(steps)])
    return Episode(x[:12], torch.arange(12) % 3, x[12:], torch.arange(6) % 3, rows)


def network_episodes(network: str) -> list[Episode]:
    """Five tasks for one of `NETWORKS`."""
    size = 9 if network == "miniimagenet" else 12
    return [image_episode(seed, steps=3, size=size) for seed in range(5)]


def finite_differences(f, params: Params, eps: float = 1e-6) -> Params:
    """Central differences of a scalar function of the parameters, entry by entry."""
    gradient = {}
    for name, value in params.items():
        slope = torch.zeros_like(value)
        for i in range(value.numel()):
            ends = []
            for sign in (1, -1):
                moved = value.clone()
                moved.view(-1)[i] += sign * eps
                ends.append(float(f({**params, name: moved})))
            slope.view(-1)[i] = (ends[0] - ends[1]) / (2 * eps)
        gradient[name] = slope
    return gradient


def largest_difference(a: Params, b: Params) -> float:
    """The largest absolute difference of two sets of tensors, relative to the largest entry."""
    scale = max(float(t.abs().max()) for t in a.values())
    return max(float((a[name] - b[name]).abs().max()) for name in a) / scale


CLASSIFICATION, REGRESSION = Classification(), Regression()
