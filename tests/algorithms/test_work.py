"""What an algorithm says that a task costs is what it does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import Algorithm
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Regression
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.data.sampler import Draws
from fewstep.run.work import work_of


WAYS, SHOTS, QUERIES, STEPS = 2, 3, 4, 3


class Linear(nn.Linear):
    """Whose steps are taken as they are written, one after the other."""

    programs = False


class Counting(Regression):
    """A squared error that counts the examples whose loss is asked for, gradient by gradient."""

    def __init__(self) -> None:
        object.__setattr__(self, "asked", [])

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.asked.append(len(targets))
        return (outputs - targets).square().flatten(1).mean(dim=1)

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.inner_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"loss": outputs.square().mean()}


def _loop(batch: int | None) -> InnerLoop:
    return InnerLoop(SGD(0.1), STEPS, batch)


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize(
    ("make", "gradients"),
    [
        (Reptile, STEPS),
        (Joint, STEPS),
        (lambda inner: Combination(inner, [1, 0, 1]), STEPS),
        (FOMAML, STEPS + 1),
        (lambda inner: FOMAML(inner, "cycle"), STEPS + 1),
        (lambda inner: FOMAML(inner, "replacement"), STEPS + 1),
        (MAML, STEPS + 1),
        (lambda inner: Binomial(inner, order=0), STEPS + 1),
    ],
)
def test_counts_are_those_of_a_direction(make, gradients: int, batch: int | None) -> None:
    algorithm: Algorithm = make(_loop(batch))
    queries = QUERIES if algorithm.needs_queries else 0
    spec = EpisodeSpec(WAYS, SHOTS, queries, algorithm.batches, batch, algorithm.replacement)
    x = torch.randn(WAYS * (SHOTS + QUERIES), 5)
    support, rows = WAYS * SHOTS, torch.from_numpy(Draws(0, "train", 0).batches(spec))
    episode = Episode(x[:support], x[:support, :1], x[support:], x[support:, :1], rows)
    objective, net = Counting(), Net(Linear(5, 1))

    algorithm.direction(
        Problem(net, objective), Start(net.params(), algorithm.inner.rule.init({})), episode
    )

    assert algorithm.gradients(spec) == gradients == len(objective.asked)
    assert algorithm.examples(spec) == sum(objective.asked)


def test_a_wave_is_asked_about_on_its_whole_grid() -> None:
    spec = EpisodeSpec(1, 10, 50, STEPS)
    assert work_of(MAML(_loop(None)), spec, points=20) == (4, 3 * 10 + 20)
    assert work_of(Reptile(_loop(None)), spec, points=20) == (3, 30)
