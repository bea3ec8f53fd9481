"""Update rules against NumPy, and what a meta-batch leaves in their memory."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import MAML, Reptile
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import RULES, SGD, Adam, Langevin, MomentumDecay, Rule, total_of
from fewstep.core.rules.learned import joined
from fewstep.core.types import Start, State
from problems import REGRESSION, small_episode, small_net


def numpy_adam(w, v, t, grads, lr=0.001, beta2=0.999, eps=1e-8):
    """TensorFlow's form: eps is added to the root that is not yet corrected for its bias."""
    for g in grads:
        t += 1
        v = beta2 * v + (1 - beta2) * g * g
        w = w - lr * np.sqrt(1 - beta2**t) * g / (np.sqrt(v) + eps)
    return w, v, t


GRADS = [np.array([0.5, -2.0, 0.0]), np.array([1e-9, 3.0, 0.0]), np.array([0.1, 0.2, -0.3])]


def run(rule, state, in_place: bool):
    params = {"w": torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)}
    for g in GRADS:
        grads = {"w": torch.tensor(g)}
        if in_place:
            rule.step_(params, grads, state)
        else:
            params, state = rule.step(params, grads, state)
    return params["w"].numpy(), state


@pytest.mark.parametrize("in_place", [False, True])
def test_adam_is_tensorflows(in_place: bool) -> None:
    rule = Adam(0.001)
    v = np.array([0.1, 0.2, 0.0])
    start = {"v": {"w": torch.tensor(v)}, "t": torch.tensor(7)}
    w, state = run(rule, start, in_place)
    expected, v, t = numpy_adam(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.0]), 7, GRADS)
    np.testing.assert_allclose(w, expected, rtol=1e-14)
    np.testing.assert_allclose(state["v"]["w"].numpy(), v, rtol=1e-14)
    assert int(state["t"]) == t


@pytest.mark.parametrize("in_place", [False, True])
def test_sgd(in_place: bool) -> None:
    w, state = run(SGD(0.1), {}, in_place)
    np.testing.assert_allclose(w, [1.0, 2.0, 3.0] - 0.1 * sum(GRADS), rtol=1e-14)
    assert state == {}


def test_a_fresh_adam_steps_by_the_sign_and_a_trained_one_does_not() -> None:
    """Trap 2: a state that is reset for each task makes its first step lr * sign(g)."""
    rule, params = Adam(0.001), {"w": torch.zeros(2, dtype=torch.float64)}
    grads = {"w": torch.tensor([0.3, -20.0], dtype=torch.float64)}
    fresh, _ = rule.step(params, grads, rule.init(params))
    np.testing.assert_allclose(fresh["w"].numpy(), [-0.001, 0.001], rtol=1e-5)  # eps
    trained = {"v": {"w": torch.tensor([1.0, 1.0]).double()}, "t": torch.tensor(10**6)}
    carried, _ = rule.step(params, grads, trained)
    v = 0.999 + 0.001 * np.array([0.09, 400.0])
    np.testing.assert_allclose(carried["w"].numpy(), -0.001 * np.array([0.3, -20]) / np.sqrt(v))


def merged_by(rule: Rule, start: State, ends: list[State]) -> State:
    """What tasks that ran side by side from `start` leave behind, as a meta-batch has it."""
    return rule.apply(start, total_of([rule.contribution(start, end) for end in ends]))


def test_merge_forgets_as_fast_as_the_authors_sequence() -> None:
    """v' = b^(nk) v + sum_i (v_i - b^k v), t' = t + nk: by hand for n = 2 tasks of k = 2 steps."""
    rule = Adam(0.001, beta2=0.5)
    start = {"v": {"w": torch.tensor([16.0])}, "t": torch.tensor(3)}
    ends = [
        {"v": {"w": torch.tensor([v])}, "t": torch.tensor(5)} for v in (4.0 + 1.0, 4.0 + 3.0)
    ]  # b^k v = 4, so the tasks' own gradients added 1 and 3
    merged = merged_by(rule, start, ends)
    assert merged["v"]["w"].tolist() == [16.0 / 16 + 1.0 + 3.0]
    assert int(merged["t"]) == 7
    assert merged_by(rule, start, ends[::-1])["v"]["w"].tolist() == merged["v"]["w"].tolist()


def test_merging_one_task_is_that_tasks_end() -> None:
    rule, net = Adam(0.01), small_net()
    start = rule.init(net.params())
    end = (
        InnerLoop(rule, 3)
        .adapt(Problem(net, REGRESSION), Start(net.params(), start), small_episode())
        .state
    )
    merged = merged_by(rule, start, [end])
    assert int(merged["t"]) == 3
    for name, v in end["v"].items():
        torch.testing.assert_close(merged["v"][name], v, rtol=1e-14, atol=0)


def test_second_order_through_adam_is_finite_where_a_gradient_is_exactly_zero() -> None:
    rule = Adam(0.1)
    w = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    grads = {"w": w * torch.tensor([0.0, 1.0])}
    new, _ = rule.step({"w": w}, grads, rule.init({"w": w}))
    (slope,) = torch.autograd.grad(new["w"].sum(), w)
    assert torch.isfinite(slope).all()
    assert slope[0] == 1.0


def test_second_order_through_adam_where_a_gradient_passes_through_zero() -> None:
    """There a fresh Adam divides by eps alone: 1 - lr sqrt(1 - beta2) / eps."""
    rule = Adam(0.1, eps=1e-2)
    w = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    new, _ = rule.step({"w": w}, {"w": w - 2.0}, rule.init({"w": w}))
    (slope,) = torch.autograd.grad(new["w"].sum(), w)
    assert slope.item() == pytest.approx(1 - 0.1 * 0.001**0.5 / 1e-2, rel=1e-9)


def test_sum_and_mean_differ_by_the_batch_under_sgd() -> None:
    """Trap 1: 0.003 on a sum over 25 examples is 0.075 on a mean."""
    net, episode = small_net(), small_episode()
    big = episode._replace(
        support_x=episode.support_x.repeat(5, 1)[:25],
        support_y=episode.support_y.repeat(5, 1)[:25],
        batches=torch.arange(25).repeat(2, 1),
    )
    args = (Problem(net, REGRESSION), Start(net.params(), {}), big)
    summed = InnerLoop(SGD(0.003), 2, loss="sum").adapt(*args).params
    meant = InnerLoop(SGD(0.075), 2, loss="mean").adapt(*args).params
    slow = InnerLoop(SGD(0.003), 2, loss="mean").adapt(*args).params
    for name, p in net.params().items():
        torch.testing.assert_close(summed[name], meant[name], rtol=1e-12, atol=1e-14)
        assert not torch.allclose(summed[name], slow[name], rtol=1e-3) or not p.any()


MORE = {"lslr": {"steps": 3}, "langevin": {"burn_in": 1, "temperature": 0.0}}
MADE = [kind(lr=0.1, **MORE.get(name, {})) for name, kind in RULES.items()]
MADE += [MomentumDecay(0.1, decay=0.1)]


@pytest.mark.parametrize("rule", MADE, ids=repr)
def test_a_rule_says_whether_it_moves_what_has_no_gradient(rule: Rule) -> None:
    """What `algorithm.inner.fixed` goes by; from the second step on, for a pull to the start."""
    params = {"w": torch.tensor([1.0, -2.0], dtype=torch.float64)}
    none = {"w": torch.zeros(2, dtype=torch.float64)}
    state = joined(rule.init(params), rule.learned(params))
    at, state = rule.begin(params, state, torch.tensor(7))
    for _ in range(3):
        at, state = rule.step(at, none, state)
    assert torch.equal(at["w"], params["w"]) == (rule.moves_all is None)


def test_langevin_descent_leaves_nothing_fixed() -> None:
    rule = Langevin(0.1, burn_in=1)
    told = (
        "algorithm.inner.fixed=[layers.0.*]: the inner rule Langevin draws what has no gradient to "
        "its prior too. Use another rule, for example algorithm.inner.rule=sgd, or "
        "algorithm.inner.fixed=[]"
    )
    with pytest.raises(ValueError, match=re.escape(told) + "$"):
        InnerLoop(rule, 3, loss="sum", fixed=["layers.0.*"])
    InnerLoop(rule, 3, loss="sum", frozen=["layers.0.*"])  # which no rule is shown


class PutsIntoDictionaries(Rule):
    """Descent with momentum that puts new tensors into the dictionaries that it is given."""

    lr = 0.1

    def begin(self, params, state, key):
        state["s"] = {name: torch.zeros_like(p) for name, p in params.items()}
        return params, state

    def step(self, params, grads, state):
        for name in params:
            state["s"][name] = 0.5 * state["s"][name] - self.lr * grads[name]
            params[name] = params[name] + state["s"][name]
        return params, state


@pytest.mark.parametrize("algorithm", [Reptile, MAML])
@pytest.mark.parametrize("functional", [False, True])
def test_a_rule_may_put_tensors_into_its_dictionaries(algorithm: type, functional: bool) -> None:
    """The task's parameters stayed where they were so, and MAML's gradient was first order."""
    found = []
    for rule in (PutsIntoDictionaries(), MomentumDecay(0.1, momentum=0.5)):
        net = small_net()
        problem = Problem(Net(net.module, functional), REGRESSION)
        start = Start(net.params(), {})
        direction, _, _ = algorithm(InnerLoop(rule, 3)).direction(problem, start, small_episode())
        assert not start.state
        found.append(direction)
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-12, atol=0)
