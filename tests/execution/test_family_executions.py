"""The family says the same in every execution, in float64 to 1e-10."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms import Algorithm
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.eigen_reptile import EigenReptile
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.multi_step import MultiStep
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import ChainMean
from fewstep.core.problem import Problem
from fewstep.core.rules import LSLR, SGD, Langevin, MetaSGD, Prox, Sign
from fewstep.core.types import Episode, Params, Start
from fewstep.execution.choice import EXECUTIONS
from fewstep.models import LinearChains, OmniglotConv
from problems import CLASSIFICATION, REGRESSION, image_episode, largest_difference, small_episode


STEPS = 3
OTHERS = [name for name in EXECUTIONS if name != "serial"]


def loop(rule=None, **more) -> InnerLoop:
    return InnerLoop(rule or SGD(0.1), STEPS, **more)


FAMILY: dict[str, Callable[[], Algorithm]] = {
    "binomial 1": lambda: Binomial(loop(), 1),
    "binomial 2": lambda: Binomial(loop(), 2),
    "binomial 1 of 2": lambda: Binomial(loop(), 1, 2),
    "binomial 2, learned rates": lambda: Binomial(loop(MetaSGD(0.1)), 2),
    "binomial 2, a head that stays": lambda: Binomial(loop(fixed=("2.*",)), 2),
    "binomial, whole": lambda: Binomial(loop(), STEPS),
    "truncated": lambda: Binomial(loop(), 2, 2),
    "imaml": lambda: IMAML(loop(Prox(0.1, lam=2.0)), 3),
    "imaml, a learned pull": lambda: IMAML(loop(Prox(0.1, lam=2.0, learn_lam=True)), 3),
    "hessian free": lambda: HessianFree(loop(), 1e-3),
    "maml++": lambda: MultiStep(loop(LSLR(0.1, STEPS)), weights=(0.2, 0.3, 0.5)),
    "meta-sgd": lambda: MAML(loop(MetaSGD(0.1))),
    "meta-sgd, first order": lambda: FOMAML(loop(MetaSGD(0.1))),
    "sign": lambda: FOMAML(loop(Sign(0.05))),
    "prox": lambda: Reptile(loop(Prox(0.1))),
    "eigen reptile": lambda: EigenReptile(loop()),
    "anil": lambda: MAML(loop(fixed=("0.*",))),
    "boil": lambda: MAML(loop(fixed=("2.*",))),
}


def check(algorithm: Algorithm, module: nn.Module, objective, episodes, execution: str) -> None:
    params = Net(module).params()
    start = Start({**params, **algorithm.inner.rule.learned(params)}, {})

    def direction(net: Net, start: Start, episode: Episode) -> Params:
        return algorithm.direction(Problem(net, objective), start, episode)[0]

    wanted = EXECUTIONS["serial"](module).map(direction, (start,), episodes)
    found = EXECUTIONS[execution](module).map(direction, (start,), episodes)
    for want, got in zip(wanted, found, strict=True):
        assert any(value.any() for value in want.values())
        assert largest_difference(want, got) < 1e-10


def ways() -> list:
    """Programs, which threads run, take seconds each to write: they are for the slow tests."""
    dear = [pytest.mark.slow]
    return [
        pytest.param(name, execution, marks=dear if execution == "threads" else [])
        for name in FAMILY
        for execution in OTHERS
    ]


@pytest.mark.parametrize(("name", "execution"), ways())
def test_directions_of_the_family(name: str, execution: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    some = [small_episode(seed, steps=STEPS) for seed in range(3)]
    check(FAMILY[name](), module, REGRESSION, some, execution)


@pytest.mark.parametrize("execution", [pytest.param("threads", marks=pytest.mark.slow), "vmap"])
def test_langevin_descent_of_many_chains(execution: str) -> None:
    """Each task has the noise of its own key, wherever it runs."""
    rule = Langevin(0.02, burn_in=1, prior="one_sided", kappa=3.0)
    rows, one = torch.arange(2).repeat(STEPS, 1), torch.eye(2).double()
    some = []
    for key in range(3):
        x = torch.randn(2, 2, generator=torch.Generator().manual_seed(key)).double()
        some.append(Episode(x, x[:, :1], one, x[:, :1], rows, torch.tensor(key)))
    algorithm = MAML(loop(rule, loss="sum", reset=("weight",)))
    check(algorithm, LinearChains(2, 4).double(), ChainMean(), some, execution)


def test_under_vmap_the_products_of_each_order_are_taken_at_once(monkeypatch) -> None:
    """As many of them, in as many rounds as the order; no product is taken by itself."""
    rounds: list[int] = []
    whole, module = Path.vjps, nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    monkeypatch.setattr(Path, "vjp", None)
    monkeypatch.setattr(Path, "vjps", lambda p, k, vs: rounds.append(len(vs)) or whole(p, k, vs))
    algorithm, params = Binomial(InnerLoop(SGD(0.1), 5), 2, 4), Net(module).params()

    def direction(net: Net, episode: Episode) -> Params:
        return algorithm.direction(Problem(net, REGRESSION), Start(params, {}), episode)[0]

    EXECUTIONS["vmap"](module).map(direction, (), [small_episode(0, steps=5)] * 2)
    assert rounds == [3, 3]
    assert sum(rounds) == algorithm.hessian_products()


@pytest.mark.slow
def test_the_rounds_of_a_convolutional_network() -> None:
    torch.manual_seed(0)
    module = OmniglotConv(ways=3, channels=4, size=8).double()
    some = [image_episode(seed, steps=STEPS, size=8) for seed in range(2)]
    check(Binomial(loop(), 2), module, CLASSIFICATION, some, "vmap")
