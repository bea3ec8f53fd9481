"""What is said of a user's own inner rule before a run relies on it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.problem import Problem
from fewstep.core.rules import RULES, Rule
from fewstep.core.types import Start
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.own_rule import check_rule
from fewstep.run.checks.rule_beginnings import check_beginnings
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


class BeginsPart(Mine):
    def begin(self, params, state, key):
        return dict(list(params.items())[:-1]), state


class BeginsAlone(Mine):
    def begin(self, params, state, key):
        return state


class BeginsAnywhere(Mine):
    def begin(self, params, state, key):
        return {n: p + torch.rand_like(p) for n, p in params.items()}, state


class BeginsInPlace(Mine):
    def begin(self, params, state, key):
        return {n: p.mul_(0.5) for n, p in params.items()}, state


class EndsInPart(Mine):
    def finish(self, params, state):
        return dict(list(params.items())[:1])


class EndsInNothing(Mine):
    def finish(self, params, state):
        return None


class EndsOtherwise(Mine):
    def finish(self, params, state):
        return {n: p[..., None] for n, p in params.items()}


class EndsInPlace(Mine):
    def finish(self, params, state):
        return {n: p.mul_(0.5) for n, p in params.items()}


class EndsAnywhere(Mine):
    def finish(self, params, state):
        return {n: p + torch.rand_like(p) for n, p in params.items()}


class OtherNames(Mine):
    def begin(self, params, state, key):
        return params, {**state, "old": {"a": torch.zeros(()), "b": torch.zeros(())}}


class Nested(Mine):
    def begin(self, params, state, key):
        return params, {**state, "h": {"m": {n: torch.zeros_like(p) for n, p in params.items()}}}


class NoDictionary(Mine):
    def step(self, params, grads, state):
        return super().step(params, grads, state)[0], None


class Misspelt(Mine):
    def learned(self, params):
        return {"inner/lr/typo": torch.tensor(0.1)}


class HeavyBall(Mine):
    """A memory, which its step in place keeps as well."""

    def begin(self, params, state, key):
        return params, {**state, "s": {n: torch.zeros_like(p) for n, p in params.items()}}

    def step(self, params, grads, state):
        s = {n: 0.9 * state["s"][n] + g for n, g in grads.items()}
        return {n: p - self.lr * s[n] for n, p in params.items()}, {**state, "s": s}

    def step_(self, params, grads, state):
        for name, p in params.items():
            state["s"][name].mul_(0.9).add_(grads[name])
            p.sub_(self.lr * state["s"][name])


class ForgetsInPlace(HeavyBall):
    def step_(self, params, grads, state):
        for name, p in params.items():
            p.sub_(self.lr * (0.9 * state["s"][name] + grads[name]))


class CountsInPlaceNot(Mine):
    def begin(self, params, state, key):
        return params, {**state, "k": torch.zeros((), dtype=torch.int64)}

    def step(self, params, grads, state):
        return super().step(params, grads, state)[0], {**state, "k": state["k"] + 1}

    def step_(self, params, grads, state):
        for name, p in params.items():
            p.sub_(self.lr * grads[name])


class ByNormLater(CountsInPlaceNot):
    """Entrywise in its first step alone."""

    step_ = Rule.step_

    def step(self, params, grads, state):
        later = state["k"] > 0
        size = {n: torch.where(later, p.norm(), 1.0) for n, p in params.items()}
        moved = {n: p - self.lr * size[n] * grads[n] for n, p in params.items()}
        return moved, {**state, "k": state["k"] + 1}


class Decays(Mine):
    def step(self, params, grads, state):
        return {n: 0.9 * p - self.lr * grads[n] for n, p in params.items()}, state


class BeginsElsewhere(Mine):
    def begin(self, params, state, key):
        return {n: p + 1 for n, p in params.items()}, state


def check(rule: Rule, state: str = "carry", **more: Any) -> None:
    net = small_net()
    params = net.params()
    start = Start(params | rule.learned(params), rule.init(params))
    inner = InnerLoop(rule, 3, state=state, **more)
    check_rule(inner, Problem(net, REGRESSION), start, small_episode())


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
        (BeginsPart, "its begin must return every parameter .*, and returns 0.w[^:]*, 2.weight. W"),
        (BeginsAlone, r"its begin must return \(params, state\), and returns a dict. For example"),
        (
            BeginsAnywhere,
            "its begin moves otherwise when it is asked again, .* Noise follows from ",
        ),
        (BeginsInPlace, "its begin writes into a tensor that it is given. Make new ones"),
        (EndsInPart, "its finish must return every parameter .*, and returns 0.weight. What it do"),
        (EndsInNothing, "its finish must return every parameter .*, and returns a NoneType. What"),
        (
            EndsOtherwise,
            r"its finish must return 0.weight as it was, .* returns \[4, 3, 1\] in tor",
        ),
        (EndsInPlace, "its finish writes into a tensor that it is given. Make new ones"),
        (EndsAnywhere, "its finish moves otherwise when it is asked again, .* Keep a memory in t"),
        (OtherNames, "fails with all parameters in one vector .KeyError: '0.weight'.. A rule tha"),
        (Nested, "fails with all parameters in one vector .KeyError: '0.weight'.. .* entrywise ="),
        (NoDictionary, "its state is a NoneType, and must be a dictionary of tensors. For exam"),
        (Misspelt, "its learned gives inner/lr/typo, and no parameter is called typo. They are 0"),
        (
            ForgetsInPlace,
            r"leaves state\['s'\]\['0.weight'\] otherwise when all .* to the state to",
        ),
        (CountsInPlaceNot, r"leaves state\['k'\] otherwise when all parameters come as one vector"),
        (ByNormLater, "moves 0.weight otherwise when all parameters come as one vector"),
    ],
)
def test_a_rule_that_would_learn_wrongly_is_refused_by_name(rule: type[Rule], told: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"algorithm.inner.rule=test_own_rule.{rule.__name__}:? .*"
    ):
        check(rule())
    with pytest.raises(ConfigError, match=told):
        check(rule())


@pytest.mark.parametrize("rule", [Mine(), PutsIntoDictionaries(), ByNormOfEach(), HeavyBall()])
def test_a_rule_that_keeps_its_contract_is_taken(rule: Rule) -> None:
    check(rule)


@pytest.mark.parametrize("rule", [Decays, BeginsElsewhere])
def test_what_is_fixed_stays_where_it_is(rule: type[Rule]) -> None:
    check(rule())
    with pytest.raises(ConfigError) as refused:
        check(rule(), fixed=["0.*"])
    assert str(refused.value) == (
        f"algorithm.inner.fixed=[0.*]: algorithm.inner.rule=test_own_rule.{rule.__name__} moves "
        "0.weight, whose gradient is 0 then. Let it leave such a parameter as it is, or say in "
        "moves_all why it does not, or use algorithm.inner.fixed=[]"
    )
    check(HeavyBall(), fixed=["0.*"])


def test_a_head_is_made_before_the_rule_begins() -> None:
    """Its failure is the rule's own, whatever the head."""
    with pytest.raises(ConfigError, match=r"rule=test_own_rule.BeginsPart: its begin must return"):
        check(BeginsPart(), head="zeros")
    check(HeavyBall(), head="zeros")


def test_a_rule_for_one_step_is_asked_for_one() -> None:
    class Once(ByNormLater):
        most_steps = 1

    check(Once())


def test_a_memory_may_be_reset_instead() -> None:
    check(Forgets(), state="reset")


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_rules_of_the_package_keep_it(name: str) -> None:
    more = {"steps": 3} if name == "lslr" else {}
    check(RULES[name](lr=0.01, **more))


def _fails(self, params):
    raise KeyError("boom")


def _writes(self, params):
    for p in params.values():
        p.zero_()
    return {}


NAME = f"algorithm.inner.rule={__name__}.Odd"


@pytest.mark.parametrize(
    ("part", "asked", "told"),
    [
        ("init", _fails, "its init fails (KeyError: 'boom'"),
        ("init", lambda self, params: None, "its init: its state is a NoneType"),
        ("init", lambda self, params: {"k": 0.0}, "its init: its state['k'] is a float"),
        (
            "init",
            lambda self, params: {0: torch.ones(())},
            "its init: its state[0] is found by [0]",
        ),
        ("init", _writes, "its init writes into params (0.weight)"),
        (
            "init",
            lambda self, params: {"k": torch.rand(())},
            "its init is another one when it is asked again, and must hang on its arguments alone. "
            "Let it remember nothing, and draw noise in begin, from its key",
        ),
        ("learned", _fails, "its learned fails (KeyError: 'boom'"),
        ("learned", _writes, "its learned writes into params (0.weight)"),
        (
            "learned",
            lambda self, params: {"inner/lr": torch.tensor(float("nan"))},
            "its learned gives inner/lr as nan, from which nothing can be learned",
        ),
        (
            "least",
            {"lr": "low"},
            "its least is {'lr': 'low'}, and must be a dictionary of a number",
        ),
        ("least", [0.1], "its least is [0.1], and must be a dictionary of a number"),
    ],
)
def test_what_it_says_before_any_task_is_looked_at(part: str, asked: Any, told: str) -> None:
    rule = type("Odd", (Mine,), {part: asked, "__module__": __name__})()
    module = small_net().module
    before = {n: p.clone() for n, p in module.named_parameters()}
    with pytest.raises(ConfigError) as error:
        check_beginnings(InnerLoop(rule, 3), module)
    assert str(error.value).startswith(f"{NAME}: {told}")
    assert all(torch.equal(p, before[n]) for n, p in module.named_parameters())


def test_least_is_of_what_is_learned() -> None:
    class Learns(Mine):
        least: ClassVar = {"lrr": 0.1}

        def learned(self, params):
            return {"inner/lr": torch.tensor(0.1)}

    with pytest.raises(ConfigError, match=r"its least is \{'lrr': 0.1\}, .* of lr\. For example"):
        check_beginnings(InnerLoop(Learns(), 3), small_net().module)


def test_least_of_a_rule_that_may_learn_is_no_matter_where_it_does_not() -> None:
    class Pulled(RULES["prox"]):
        """Has its least from the package, and learns nothing unless it is asked to."""

    check_beginnings(InnerLoop(Pulled(lr=0.1), 3), small_net().module)


def test_what_is_learned_may_begin_at_random() -> None:
    class Draws(Mine):
        def learned(self, params):
            return {"inner/lr": torch.rand(())}

    state = torch.get_rng_state()
    check_beginnings(InnerLoop(Draws(), 3), small_net().module)
    assert torch.equal(torch.get_rng_state(), state)
