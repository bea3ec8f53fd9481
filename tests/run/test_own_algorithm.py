"""A user's own algorithm that is wrong says so in one line, before there is a run."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import MAML, Algorithm, MultiStep, Reptile
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.traits import Traits
from fewstep.core.types import EpisodeSpec, Start
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import is_own
from fewstep.run.checks.own_algorithm import check_direction
from fewstep.run.checks.own_uploads import check_together
from fewstep.run.checks.phases import phases
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


def names_come_and_go(way, adapted, start):
    return way, adapted.state, {f"m{next(CALLS)}": torch.ones(())}


NAN = torch.tensor(torch.nan)

WRONG = {
    "its direction is another one when it is asked again, and": names_come_and_go,
    "its direction['0.weight'] is NaN on the first training task. Look for a division by zero, a "
    "logarithm or a root of zero, or an empty mean": (
        lambda d, a, s: ({n: v * torch.nan for n, v in d.items()}, a.state, {})
    ),
    "its metrics['m'] is NaN on the first training task. Look for a division by zero": (
        lambda d, a, s: (d, a.state, {"m": NAN})
    ),
    'its metrics have an entry 3, and their names are texts. For example "my_3"': (
        lambda d, a, s: (d, a.state, {3: torch.ones(())})
    ),
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


def test_what_is_made_of_queries_that_a_task_does_not_have_is_named() -> None:
    episode = small_episode()
    bare = episode._replace(query_x=episode.query_x[:0], query_y=episode.query_y[:0])
    forgets = Own(lambda d, a, s: (d, a.state, {"loss": NAN}))
    with pytest.raises(ConfigError) as refused:
        check_direction(forgets, PROBLEM, Start(PARAMS, {}), bare)
    assert str(refused.value) == (
        f"algorithm={__name__}.Own: its metrics['loss'] is NaN on the first training task. Tasks "
        "have no queries in training unless its class says so: set needs_queries = True where it "
        "asks for them"
    )


def test_a_baseline_of_ones_own_is_called_by_its_own_key() -> None:
    start = Start(PARAMS, {})
    with pytest.raises(ConfigError, match=rf"^baselines\.joint={__name__}\.Own: its direction la"):
        check_direction(
            Own(lambda d, a, s: ({}, {}, {})), PROBLEM, start, small_episode(), "baselines.joint"
        )


class Changing(Own):
    """Others take its place."""

    def __init__(self, at, turns=()) -> None:
        super().__init__(right)
        self.become, self.changes = at, turns

    def at(self, meta_iteration, of):
        return self.become(self, meta_iteration)

    @property
    def turns(self):
        return self.changes


class Costly(Own):
    def gradients(self, spec):
        return None


SPEC = EpisodeSpec(1, 6, 0, 3, 2)
CHANGES = [
    (
        Changing(lambda own, i: None),
        "its at(0, of=10) gives None, and must give the algorithm of that meta-iteration. For "
        "example return self",
    ),
    (Changing(lambda own, i: own if i < 9 else 1 / 0), "its at(9, of=10) fails (ZeroDivisionError"),
    (Changing(lambda own, i: own if i != 4 else "x", (4,)), "its at(4, of=10) gives a str, and"),
    (Changing(lambda own, i: own, (0.5,)), "its turns have 0.5, and are meta-iterations, whole"),
    (Changing(lambda own, i: own, None), "its turns fails (TypeError"),
    (
        Changing(lambda own, i: MAML(own.inner)),
        "its at(0, of=10) gives MAML, which needs queries, and tasks have none in training. Set "
        "needs_queries = True in its class",
    ),
    (Costly(right), "its gradients gives None, and must give how many a training task costs, a"),
]


@pytest.mark.parametrize(("algorithm", "told"), CHANGES)
def test_what_takes_its_place_is_asked_for(algorithm: Algorithm, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        phases(algorithm, 10, SPEC, "algorithm")
    assert str(refused.value).startswith(f"algorithm={__name__}.{type(algorithm).__name__}: {told}")


def test_the_last_of_each_other_kind_is_to_be_tried() -> None:
    inner = InnerLoop(SGD(0.1), 3)
    plus = MultiStep(inner, multi_step_epochs=1, epoch=4)
    assert phases(plus, 10, SPEC, "algorithm") == [MAML(inner)]
    assert phases(plus, 4, SPEC, "algorithm") == []
    asked = []
    becomes = Changing(lambda own, i: asked.append(i) or Own(right), (4, 99, 0, 7))
    (found,) = phases(becomes, 10, SPEC, "algorithm")
    assert asked == [0, 4, 7, 9]
    assert type(found) is Own


class Uploads(Reptile):
    """Every task hands over what it is told to, and something is made of it."""

    uploads = True

    def __init__(self, upload, together=None) -> None:
        for name, value in {
            "inner": InnerLoop(SGD(0.1), 3),
            "up": upload,
            "down": together,
        }.items():
            object.__setattr__(self, name, value)

    def upload(self, problem, end, episode):
        return self.up(end)

    def together(self, module, params, uploads):
        return self.down(params)


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        (lambda end: None, "its upload must be a dictionary, and is a NoneType. For example"),
        (
            lambda end: {"m": 1.0},
            "upload['m'] must be a tensor, which is summed over tasks and ranks, and is a float. "
            'For example {"sums": features.sum(0)}',
        ),
        (lambda end: 1 / 0, "its upload fails (ZeroDivisionError: division by zero"),
        (lambda end: {"m": torch.rand(())}, "its upload is another one when it is asked again"),
    ],
)
def test_what_a_task_hands_over_is_looked_at(upload, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_direction(Uploads(upload), PROBLEM, Start(PARAMS, {}), small_episode())
    assert str(refused.value).startswith(f"algorithm={__name__}.Uploads: {told}")


BIAS = "0.bias"
TOGETHER = [
    (
        lambda p: {"no.such": p[BIAS]},
        "its together has no.such, which no parameter is called. They",
    ),
    (lambda p: {BIAS: p[BIAS][:2]}, f"together['{BIAS}'] must have the parameter's shape [4], and"),
    (lambda p: {BIAS: 1.0}, f"together['{BIAS}'] must have the parameter's shape [4], and has flo"),
    (lambda p: {BIAS: p[BIAS].float()}, f"together['{BIAS}'] is in torch.float32, and the paramet"),
    (lambda p: None, "its together must be a dictionary, and is a NoneType. For example"),
    (lambda p: 1 / 0, "its together fails (ZeroDivisionError: division by zero, test_own_algorit"),
    (lambda p: {BIAS: p[BIAS].mul_(2)}, f"its together writes into params ({BIAS}), which all tas"),
    (lambda p: {BIAS: torch.rand_like(p[BIAS])}, "its together is another one when it is asked ag"),
    (lambda p: {BIAS: p[BIAS] / 0}, f"its together['{BIAS}'] is not finite after the first meta-b"),
]


@pytest.mark.parametrize(("together", "told"), TOGETHER)
def test_what_is_made_of_all_that_is_handed_over_is_looked_at(together, told: str) -> None:
    algorithm = Uploads(None, together)
    params = {n: p.clone() for n, p in PARAMS.items()}
    with pytest.raises(ConfigError) as refused:
        check_together("algorithm=x", algorithm, NET.module, params, {})
    assert str(refused.value).startswith(f"algorithm=x: {told}")


def test_uploads_that_are_right_pass() -> None:
    fine = Uploads(lambda end: {"m": end[BIAS].sum()}, lambda params: {BIAS: 0.1 * params[BIAS]})
    check_direction(fine, PROBLEM, Start(PARAMS, {}), small_episode())
    check_together("algorithm=x", fine, NET.module, PARAMS, {"m": torch.ones(())})
