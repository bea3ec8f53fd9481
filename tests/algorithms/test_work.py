"""What an algorithm says that a task costs is what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms import Algorithm
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.eigen_reptile import EigenReptile
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.multi_step import MultiStep
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Regression
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Prox
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.data.sampler import Draws
from fewstep.run.construction.work import Tasks


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


def _episode(spec: EpisodeSpec) -> Episode:
    x = torch.randn(WAYS * (SHOTS + QUERIES), 5)
    support, rows = WAYS * SHOTS, torch.from_numpy(Draws(0, "train", 0).batches(spec))
    return Episode(x[:support], x[:support, :1], x[support:], x[support:, :1], rows)


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
        (HessianFree, 3 * STEPS + 1),
        (MultiStep, 2 * STEPS),
        (EigenReptile, STEPS),
    ],
)
def test_counts_are_those_of_a_direction(make, gradients: int, batch: int | None) -> None:
    algorithm: Algorithm = make(_loop(batch))
    queries = QUERIES if algorithm.needs_queries else 0
    spec = EpisodeSpec(WAYS, SHOTS, queries, algorithm.batches, batch, algorithm.replacement)
    episode, objective, net = _episode(spec), Counting(), Net(Linear(5, 1))

    algorithm.direction(
        Problem(net, objective), Start(net.params(), algorithm.inner.rule.init({})), episode
    )

    assert algorithm.gradients(spec) == gradients == len(objective.asked)
    assert algorithm.examples(spec) == sum(objective.asked)


@pytest.mark.parametrize(
    ("make", "products"),
    [
        (lambda inner: Binomial(inner, order=0), 0),
        (lambda inner: Binomial(inner, order=1), STEPS),
        (lambda inner: Binomial(inner, order=2), 2 * (STEPS - 1)),
        (lambda inner: Binomial(inner, order=STEPS), STEPS),
        (lambda inner: Binomial(inner, order=1, window=2), 2),
        (lambda inner: Binomial(inner, order=2, window=2), 2),
        (lambda inner: IMAML(replace(inner, rule=Prox(0.1)), cg_steps=4), 4),
        (lambda inner: IMAML(replace(inner, rule=Prox(0.1), fixed=("bias",)), cg_steps=4), 5),
        (HessianFree, 0),
        (EigenReptile, 0),
    ],
)
def test_so_are_products_with_a_hessian(make, products: int, monkeypatch) -> None:
    taken, algorithm = [], make(_loop(None))
    for name in ("vjp", "hessian"):
        true = getattr(Path, name)
        monkeypatch.setattr(Path, name, lambda *a, of=true: taken.append(1) or of(*a))
    spec = EpisodeSpec(WAYS, SHOTS, QUERIES, algorithm.batches)
    net, params = Net(Linear(5, 1)), Net(Linear(5, 1)).params()

    algorithm.direction(Problem(net, Regression()), Start(params, {}), _episode(spec))

    assert algorithm.hessian_products() == products == len(taken)


def test_maml_has_one_a_step_and_first_order_none() -> None:
    assert MAML(_loop(None)).hessian_products() == STEPS
    assert MultiStep(_loop(None)).hessian_products() == STEPS
    assert MultiStep(_loop(None), first_order=True).hessian_products() == 0
    assert not any(made(_loop(None)).hessian_products() for made in (FOMAML, Reptile, Joint))


def test_a_wave_is_asked_about_on_its_whole_grid() -> None:
    spec = EpisodeSpec(1, 10, 50, STEPS)
    assert Tasks(MAML(_loop(None)), spec, points=20).at(0, 1) == (4, 3 * 10 + 20, 3)
    assert Tasks(Reptile(_loop(None)), spec, points=20).at(0, 1) == (3, 30, 0)


def test_work_is_that_of_what_takes_its_place() -> None:
    """The losses after all steps for four meta-iterations, the first three of them of first order;
    by hand, and one meta-iteration after the other."""
    made = MultiStep(_loop(None), multi_step_epochs=2, epoch=2, first_order_until=3)
    tasks = Tasks(made, EpisodeSpec(WAYS, SHOTS, QUERIES, STEPS))
    for until in (0, 1, 3, 4, 9):
        each = [tasks.at(i, 9) for i in range(until)]
        assert tasks.until(until, of=9) == tuple(sum(w[k] for w in each) for k in range(3))
    assert tasks.until(9, of=9)[::2] == (4 * 2 * STEPS + 5 * (STEPS + 1), 6 * STEPS)


@pytest.mark.parametrize("amount", [0, 5, 6, 23, 24, 27, 28, 100])
def test_a_budget_is_spent_as_work_is_counted(amount: int) -> None:
    made = MultiStep(_loop(None), multi_step_epochs=2, epoch=2)
    tasks = Tasks(made, EpisodeSpec(WAYS, SHOTS, QUERIES, STEPS))
    found = tasks.within("gradients", amount, 1000)
    assert tasks.until(found, 1000).gradients <= amount
    assert tasks.until(found + 1, 1000).gradients > amount
    assert tasks.within("gradients", 10**9, 7) == 7
