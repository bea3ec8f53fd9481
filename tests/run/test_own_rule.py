"""What is said of a user's own inner rule before a run relies on it."""

from __future__ import annotations

import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.problem import Problem
from fewstep.core.rules import RULES, Rule
from fewstep.core.types import Start
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.own_rule import check_rule
from problems import REGRESSION, small_episode, small_net


class Mine(Rule):
    """Plain descent, of which each rule below changes one thing."""

    lr = 0.1

    def step(self, params, grads, state):
        return {n: p - self.lr * grads[n] for n, p in params.items()}, state


class PutsIntoDictionaries(Mine):
    def step(self, params, grads, state):
        for name in params:
            params[name] = params[name] - self.lr * grads[name]
        return params, state


class WritesIntoTensors(Mine):
    def step(self, params, grads, state):
        for name, p in params.items():
            p.sub_(self.lr * grads[name])
        return params, state


class ByNorm(Mine):
    def step(self, params, grads, state):
        return {n: p - self.lr * grads[n] / grads[n].norm() for n, p in params.items()}, state


class ByNormOfEach(ByNorm):
    entrywise = False


class ByName(Mine):
    def step(self, params, grads, state):
        weights = {n: 2.0 if "weight" in n else 1.0 for n in params}
        return {n: p - weights[n] * self.lr * grads[n] for n, p in params.items()}, state


class OfOneName(Mine):
    def step(self, params, grads, state):
        first = small_net().params()
        return {n: params[n] - self.lr * grads[n] for n in first}, state


class Random(Mine):
    def step(self, params, grads, state):
        return {n: p - torch.rand(()) * grads[n] for n, p in params.items()}, state


class Counts(Mine):
    def __init__(self):
        self.steps = 0

    def step(self, params, grads, state):
        self.steps += 1
        return {n: p - self.lr / self.steps * grads[n] for n, p in params.items()}, state


class ParamsAlone(Mine):
    def step(self, params, grads, state):
        return super().step(params, grads, state)[0]


class LeavesSomeOut(Mine):
    def step(self, params, grads, state):
        moved, state = super().step(params, grads, state)
        return dict(list(moved.items())[:1]), state


class Single(Mine):
    def step(self, params, grads, state):
        moved, state = super().step(params, grads, state)
        return {n: p.float() for n, p in moved.items()}, state


class NumberInState(Mine):
    def begin(self, params, state, key):
        return params, {**state, "k": 0}


class Fails(Mine):
    def step(self, params, grads, state):
        raise KeyError("boom")


class Forgets(Mine):
    def init(self, params):
        return {"v": {n: torch.zeros_like(p) for n, p in params.items()}}


def check(rule: Rule, state: str = "carry") -> None:
    net = small_net()
    params = net.params()
    start = Start(params | rule.learned(params), rule.init(params))
    check_rule(InnerLoop(rule, 3, state=state), Problem(net, REGRESSION), start, small_episode())


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (WritesIntoTensors, "its step writes into a tensor that it is given"),
        (ByNorm, "otherwise when all parameters come as one vector. .* says entrywise = False"),
        (ByName, "otherwise when all parameters come as one vector. .* says entrywise = False"),
        (OfOneName, "fails with all parameters in one vector .KeyError"),
        (Random, "its step moves otherwise when it is asked again"),
        (Counts, "its step moves otherwise when it is asked again"),
        (ParamsAlone, r"must return \(params, state\), and returns a dict"),
        (LeavesSomeOut, "must return every parameter that it is given"),
        (Single, "in torch.float64, and returns .* in torch.float32"),
        (NumberInState, r"its state\['k'\] is a int, and must be a tensor"),
        (Fails, "its step fails .KeyError: 'boom', test_own_rule.py"),
        (Forgets, "its init gives a state of v, of which apply leaves nothing"),
    ],
)
def test_a_rule_that_would_learn_wrongly_is_refused_by_name(rule: type[Rule], told: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"algorithm.inner.rule=test_own_rule.{rule.__name__}:? .*"
    ):
        check(rule())
    with pytest.raises(ConfigError, match=told):
        check(rule())


@pytest.mark.parametrize("rule", [Mine(), PutsIntoDictionaries(), ByNormOfEach()])
def test_a_rule_that_keeps_its_contract_is_taken(rule: Rule) -> None:
    check(rule)


def test_a_memory_may_be_reset_instead() -> None:
    check(Forgets(), state="reset")


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_rules_of_the_package_keep_it(name: str) -> None:
    more = {"steps": 3} if name == "lslr" else {}
    check(RULES[name](lr=0.01, **more))
