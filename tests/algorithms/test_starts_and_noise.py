"""Directions where a task's start is made of the initialization, where a network draws or writes,
and where its tensors are of two precisions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.algorithm import Algorithm
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.eigen_reptile import EigenReptile
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.multi_step import MultiStep
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Classification, Regression
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam, Prox
from fewstep.core.rules.momentum import MomentumDecay
from fewstep.core.traits import Traits
from fewstep.core.types import Episode, EpisodeSpec, Params, Start
from fewstep.execution.choice import EXECUTIONS
from fewstep.execution.meta_batch import MetaBatch
from fewstep.execution.serial import Serial
from fewstep.run.checks.ways import prepare
from problems import finite_differences, largest_difference, small_episode


def images(seed: int = 0) -> Episode:
    """A 2-way task of 6 and 4 points, one minibatch of all a step."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(10, 3, generator=g).double()
    rows = torch.arange(6).repeat(3, 1)
    return Episode(x[:6], torch.arange(6) % 2, x[6:], torch.arange(4) % 2, rows, torch.tensor(5))


def net(middle: Callable[[], nn.Module] = nn.Tanh) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), middle(), nn.Linear(6, 2)).double()


def start_of(module: nn.Module, algorithm: Algorithm) -> Start:
    params = {n: p.detach() for n, p in module.named_parameters()}
    rule = algorithm.inner.rule
    return Start({**params, **rule.learned(params)}, rule.init(params))


def directed(
    module: nn.Module, algorithm: Algorithm, execution: str = "serial", objective=None, episode=None
) -> Params:
    made = EXECUTIONS[execution](module)
    batch = MetaBatch(algorithm, objective or Classification())
    return batch.total(made, start_of(module, algorithm), [episode or images()])[0]


STARTS = [("prototypes", SGD(0.3)), ("prototypes", Adam(0.05)), ("prototypes", MomentumDecay(0.2))]
STARTS += [("mean", SGD(0.3))]  # not Adam: classes that are alike have gradients of 0


@pytest.mark.parametrize(("head", "rule"), STARTS)
def test_maml_through_a_head_that_is_made_of_the_rest(head: str, rule) -> None:
    """An inner gradient is a partial one, as at meta-test: it does not flow through the head."""
    module, algorithm = net(), MAML(InnerLoop(rule, 3, head=head))
    params = start_of(module, algorithm).params

    inner, problem, task = algorithm.inner, Problem(Net(module), Classification()), images()

    def query_loss(changed: Params) -> Tensor:
        end = inner.adapt(problem, Start(changed, rule.init(params)), task).params
        outputs = problem.net(end, task.query_x)
        return Classification().outer_loss(outputs, task.query_y).mean()

    want = finite_differences(query_loss, params)
    for execution in EXECUTIONS:
        assert largest_difference(want, directed(module, algorithm, execution)) < 1e-6


class Counts(nn.Module):
    """Remembers how often it was called, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return x * (1 + 0.3 * self.calls)


MIDDLES = {
    "draws": (lambda: nn.Dropout(0.4), Traits(draws=True)),
    "writes": (Counts, Traits(writes=True)),
}


@pytest.mark.parametrize("kind", MIDDLES)
def test_a_derivative_by_a_step_meets_the_noise_and_the_memory_that_the_step_met(kind: str) -> None:
    middle, traits = MIDDLES[kind]
    inner, module = InnerLoop(SGD(0.1), 3), net(middle)

    def found(algorithm: Algorithm) -> Params:
        execution, start = Serial(module, traits), start_of(module, algorithm)
        return MetaBatch(algorithm, Classification()).total(execution, start, [images()])[0]

    maml = found(MAML(inner))
    assert largest_difference(maml, found(MAML(inner, 1))) < 1e-12
    assert largest_difference(maml, found(Binomial(inner, 3))) < 1e-12
    assert largest_difference(maml, found(HessianFree(inner, 1e-4))) < 1e-6
    # As many conjugate gradients as there are parameters solve the system, which is one only where
    # every product is of the same network.
    drawn = InnerLoop(Prox(0.1, lam=2.0), 3)
    enough = found(IMAML(drawn, cg_steps=40))
    assert largest_difference(enough, found(IMAML(drawn, cg_steps=60))) < 1e-9


@pytest.mark.parametrize("kind", MIDDLES)
@pytest.mark.parametrize("make", [Reptile, lambda inner: Combination(inner, [1.0])])
def test_the_derivative_of_the_start_is_of_the_start_that_was(kind: str, make: Callable) -> None:
    """Of one step from prototypes, by the chain rule: MAML's Jacobian of the start is the same."""
    middle, traits = MIDDLES[kind]
    module, algorithm = net(middle), make(InnerLoop(SGD(0.1), 1, head="prototypes"))
    params, task = start_of(module, algorithm).params, images()
    task = task._replace(batches=task.batches[:1])
    held: list[Params] = []

    def along(changed: Params) -> Tensor:
        moved = net(middle)
        moved.load_state_dict(changed, strict=False)
        made = Serial(moved, traits)
        inner = algorithm.inner

        def begun(own, start, episode):
            problem = Problem(own, Classification())
            at = inner.start(problem, start, episode)
            if not held:
                _, grads = inner.gradient(
                    problem, at.params, problem.minibatch(episode, episode.batches[0])
                )
                size = 0.1 if isinstance(algorithm, Reptile) else 1.0
                held.append({n: size * g for n, g in grads.items()})
            return sum((held[0][n] * p).sum() for n, p in at.params.items())

        (found,) = made.map(begun, (start_of(moved, algorithm),), [task])
        return found

    along(params)  # the direction that is pulled back is a constant
    want = finite_differences(along, params)
    execution, start = Serial(module, traits), start_of(module, algorithm)
    got = MetaBatch(algorithm, Classification()).total(execution, start, [task])[0]
    assert largest_difference(want, got) < 1e-6


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(3, 4).double(), nn.Linear(4, 2).float()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)).float()).double()


@pytest.mark.parametrize("make", [EigenReptile, MultiStep])
def test_tensors_of_two_precisions(make: Callable) -> None:
    module, algorithm = Mixed(), make(InnerLoop(SGD(0.1), 3))
    found = directed(module, algorithm, objective=Regression(), episode=small_episode())
    assert {n: p.dtype for n, p in found.items()} == {
        n: p.dtype for n, p in module.named_parameters()
    }
    assert all(p.any() for p in found.values())


def test_a_task_whose_support_set_lacks_a_class_has_the_outputs_of_the_network() -> None:
    """As side by side, where tasks are of one shape."""
    task = images()._replace(support_y=torch.zeros(6, dtype=torch.int64))
    module = net()
    prepare(module, [EpisodeSpec(2, 3, 2, 3)], 2)
    for head in ("zeros", "mean", "prototypes"):
        algorithm = MAML(InnerLoop(SGD(0.1), 3, head=head))
        each = [directed(module, algorithm, name, episode=task) for name in EXECUTIONS]
        assert all(largest_difference(each[0], other) < 1e-10 for other in each[1:])
