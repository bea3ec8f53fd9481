"""Every direction against finite differences of what it claims to be the gradient of."""

from __future__ import annotations

import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.types import Params, Start
from problems import (
    ALGORITHMS,
    REGRESSION,
    RULES,
    finite_differences,
    largest_difference,
    runs_under,
    small_episode,
    small_net,
)


NET, EPISODE = small_net(), small_episode()
PARAMS, PROBLEM = NET.params(), Problem(NET, REGRESSION)


def query_loss(params: Params) -> torch.Tensor:
    return REGRESSION.outer_loss(NET(params, EPISODE.query_x), EPISODE.query_y).mean()


@pytest.mark.parametrize("rule", [SGD(0.1), Adam(0.05)])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("fixed", [(), ("0.*",), ("?.bias",)])
def test_maml(rule, steps: int, fixed: tuple[str, ...]) -> None:
    inner, state = InnerLoop(rule, steps, fixed=fixed), rule.init(PARAMS)
    state = {**state, "v": {n: v + 0.01 for n, v in state["v"].items()}} if state else state
    episode = EPISODE._replace(batches=EPISODE.batches[:steps])

    def objective(params: Params) -> torch.Tensor:
        return query_loss(inner.adapt(PROBLEM, Start(params, state), episode).params)

    direction, _, _ = MAML(inner).direction(PROBLEM, Start(PARAMS, state), episode)
    assert largest_difference(finite_differences(objective, PARAMS), direction) < 1e-7


@pytest.mark.parametrize("rule", [SGD(0.1), Adam(0.05)])
def test_what_is_fixed_stays_and_the_rest_goes_on_as_if_it_were_a_constant(rule) -> None:
    inner = InnerLoop(rule, 3, fixed=["2.bias", "0.w*"])
    adapted = inner.adapt(PROBLEM, Start(PARAMS, rule.init(PARAMS)), EPISODE).params
    for name, value in PARAMS.items():
        assert torch.equal(adapted[name], value) == (name in ("2.bias", "0.weight"))
    free = {name: PARAMS[name] for name in ("0.bias", "2.weight")}
    _, grads = inner.gradient(PROBLEM, PARAMS, PROBLEM.queries(EPISODE))
    slopes = finite_differences(lambda some: query_loss(PARAMS | some), free)
    assert largest_difference(slopes, {name: grads[name] for name in free}) < 1e-7
    assert not grads["2.bias"].any()
    assert not grads["0.weight"].any()


def test_fomaml_at_the_adapted_parameters_and_not_at_the_initialization() -> None:
    inner = InnerLoop(SGD(0.1), 3)
    adapted = inner.adapt(PROBLEM, Start(PARAMS, {}), EPISODE).params
    direction, _, _ = FOMAML(inner).direction(PROBLEM, Start(PARAMS, {}), EPISODE)
    assert largest_difference(finite_differences(query_loss, adapted), direction) < 1e-8
    maml, _, _ = MAML(inner).direction(PROBLEM, Start(PARAMS, {}), EPISODE)
    assert largest_difference(maml, direction) > 0.01


@pytest.mark.parametrize("fixed", [(), ("0.*",)])
def test_joint(fixed: tuple[str, ...]) -> None:
    """It adapts to nothing, and so learns what is fixed like everything else."""
    inner = InnerLoop(SGD(0.1), 3, fixed=fixed)

    def objective(params: Params) -> torch.Tensor:
        losses = [
            REGRESSION.inner_loss(NET(params, EPISODE.support_x[b]), EPISODE.support_y[b]).mean()
            for b in EPISODE.batches
        ]
        return sum(losses) / len(losses)

    direction, _, _ = Joint(inner).direction(PROBLEM, Start(PARAMS, {}), EPISODE)
    assert largest_difference(finite_differences(objective, PARAMS), direction) < 1e-8


def test_reptile_is_the_learning_rate_times_the_sum_of_gradients_along_its_path() -> None:
    inner = InnerLoop(SGD(0.1), 3)
    total = {name: torch.zeros_like(p) for name, p in PARAMS.items()}
    for step in range(3):
        at = inner.adapt(PROBLEM, Start(PARAMS, {}), EPISODE, slice(0, step)).params
        _, grads = inner.gradient(PROBLEM, at, PROBLEM.minibatch(EPISODE, EPISODE.batches[step]))
        total = {name: t + grads[name] for name, t in total.items()}
    direction, _, _ = Reptile(inner).direction(PROBLEM, Start(PARAMS, {}), EPISODE)
    assert largest_difference({n: 0.1 * t for n, t in total.items()}, direction) < 1e-13


def test_one_step_is_the_learning_rate_times_the_gradient() -> None:
    inner = InnerLoop(SGD(0.1), 1)
    episode = EPISODE._replace(batches=EPISODE.batches[:1])
    reptile, _, _ = Reptile(inner).direction(PROBLEM, Start(PARAMS, {}), episode)
    joint, _, _ = Joint(inner).direction(PROBLEM, Start(PARAMS, {}), episode)
    assert largest_difference({n: 0.1 * g for n, g in joint.items()}, reptile) < 1e-13


@pytest.mark.parametrize(
    ("rule", "name"), [(r, name) for r in RULES for name in ALGORITHMS if runs_under(name, r)]
)
def test_what_goes_in_is_never_changed(rule: str, name: str) -> None:
    make, rule = ALGORITHMS[name], {"sgd": SGD(0.1), "adam": Adam(0.1)}[rule]
    params = {name: p.clone() for name, p in PARAMS.items()}
    state = rule.init(params)
    before = {name: p.clone() for name, p in params.items()}
    direction, end, _ = make(InnerLoop(rule, 3)).direction(PROBLEM, Start(params, state), EPISODE)
    assert all(torch.equal(params[name], before[name]) for name in before)
    assert all(not p.requires_grad for p in params.values())
    assert all(not d.requires_grad for d in direction.values())
    if state:
        assert int(state["t"]) == 0
        assert int(end["t"]) == 3
        assert all(not v.any() for v in state["v"].values())
        assert all(not v.requires_grad for v in end["v"].values())


def test_first_order_builds_no_graph_through_the_inner_loop() -> None:
    inner = InnerLoop(SGD(0.1), 3)
    adapted = inner.adapt(PROBLEM, Start(PARAMS, {}), EPISODE).params
    assert all(p.grad_fn is None for p in adapted.values())
    leaves = {name: p.clone().requires_grad_() for name, p in PARAMS.items()}
    through = inner.adapt(PROBLEM, Start(leaves, {}), EPISODE).params
    assert all(p.grad_fn is not None for p in through.values())


def test_no_adapted_weight_stays_in_the_module() -> None:
    own = [id(p) for p in NET.module.parameters()]
    InnerLoop(SGD(0.1), 3).adapt(PROBLEM, Start(PARAMS, {}), EPISODE)
    assert [id(p) for p in NET.module.parameters()] == own
    assert all(torch.equal(p, PARAMS[n]) for n, p in NET.module.named_parameters())
