"""A user's own algorithm that is wrong says so in one line, before there is a run."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import Algorithm
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.traits import Traits
from fewstep.core.types import Start
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.own_algorithm import check_direction, is_own
from problems import ALGORITHMS, REGRESSION, small_episode, small_net


NET = small_net()
PROBLEM, PARAMS = Problem(NET, REGRESSION), NET.params()


class Own(Algorithm):
    """Reptile, and what becomes of its answer."""

    def __init__(self, spoil) -> None:
        self.inner, self.spoil = InnerLoop(SGD(0.1), 3), spoil

    def direction(self, problem, start, episode):
        adapted = self.inner.adapt(problem, start, episode)
        way = {n: p - adapted.params[n] for n, p in start.params.items()}
        return self.spoil(way, adapted, start)


def right(way, adapted, start):
    return way, adapted.state, {}


def writes(way, adapted, start):
    start.params["0.bias"].sub_(1.0)
    return way, adapted.state, adapted.metrics


def draws(way, adapted, start):
    return {n: v + torch.rand(()) for n, v in way.items()}, adapted.state, {}


CALLS = itertools.count(1)


def counts(way, adapted, start):
    times = next(CALLS)
    return {n: times * v for n, v in way.items()}, adapted.state, {}


WRONG = {
    "its direction is another one when it is asked again": draws,
    "is another one when it is asked again, and must hang on its arguments alone": counts,
    "direction['0.weight'] is in torch.float32, and the parameter in torch.float64": (
        lambda d, a, s: ({n: v.float() for n, v in d.items()}, a.state, {})
    ),
    "its direction must return (direction, state, metrics), and returns a dict": lambda d, a, s: d,
    "and returns 2 things": lambda d, a, s: (d, a.state),
    "its direction fails (AttributeError: 'Adapted' object has no attribute 'parms'": (
        lambda d, a, s: a.parms
    ),
    "its direction writes into start.params (0.bias), which all tasks start from": writes,
    "its direction lacks 2.bias. It needs an entry for every name": (
        lambda d, a, s: ({n: v for n, v in d.items() if n != "2.bias"}, a.state, {})
    ),
    "direction['0.weight'] must have the parameter's shape [4, 3], and has []": (
        lambda d, a, s: ({n: v.sum() for n, v in d.items()}, a.state, {})
    ),
    "its direction has extra, which no parameter is called": (
        lambda d, a, s: ({**d, "extra": d["0.bias"]}, a.state, {})
    ),
    "its metrics must be a dictionary, and is a NoneType": lambda d, a, s: (d, a.state, None),
    "metrics['x'] must be a scalar tensor, and is 1.0": lambda d, a, s: (d, a.state, {"x": 1.0}),
    "its state must be a dictionary, and is a NoneType": lambda d, a, s: (d, None, {}),
}


@pytest.mark.parametrize("told", WRONG)
def test_what_it_hands_back_is_looked_at(told: str) -> None:
    start = Start({n: p.clone() for n, p in PARAMS.items()}, {})
    with pytest.raises(ConfigError) as refused:
        check_direction(Own(WRONG[told]), PROBLEM, start, small_episode())
    text = str(refused.value)
    assert text.startswith(f"algorithm={__name__}.Own: ")
    assert told in text
    assert "\n" not in text


def test_one_that_is_right_passes() -> None:
    fine = Own(lambda d, a, s: (d, a.state, {"length": torch.ones(())}))
    check_direction(fine, PROBLEM, Start(PARAMS, {}), small_episode())
    assert is_own(fine)
    assert not is_own(ALGORITHMS["reptile"](InnerLoop(SGD(0.1), 3)))


def test_the_task_is_not_to_be_written_into_and_the_rule_keeps_its_memory() -> None:
    class Doubles(Own):
        def direction(self, problem, start, episode):
            episode.support_y.mul_(2)
            return super().direction(problem, start, episode)

    with pytest.raises(ConfigError, match=r"its direction writes into episode\.support_y, which"):
        check_direction(Doubles(right), PROBLEM, Start(PARAMS, {}), small_episode())
    forgets = Own(lambda d, a, s: (d, {}, {}))
    forgets.inner = InnerLoop(Adam(0.1), 3)
    start = Start(PARAMS, forgets.inner.rule.init(PARAMS))
    with pytest.raises(ConfigError, match="its state lacks v, which the inner rule remembers"):
        check_direction(forgets, PROBLEM, start, small_episode())


def test_noise_of_the_network_hangs_on_the_task_and_is_none_of_the_algorithms() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2)).double()
    net = Net(module, traits=Traits(draws=True))
    fine = Own(right)
    check_direction(fine, Problem(net, REGRESSION), Start(net.params(), {}), small_episode())
