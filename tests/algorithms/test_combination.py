"""Weighted sums of inner gradients: what they must be equal to, and what is refused."""

from __future__ import annotations

import pytest

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.reptile import Reptile
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam, Rule
from fewstep.core.types import Params, Start
from fewstep.messages.errors import ConfigError
from fewstep.run.construction.parts import build_algorithm
from problems import (
    REGRESSION,
    HalfSquare,
    largest_difference,
    linear,
    one_example,
    small_episode,
    small_net,
)


NET, EPISODE, LR = small_net(), small_episode(steps=3), 0.1
PARAMS, PROBLEM = NET.params(), Problem(NET, REGRESSION)


def direction(algorithm) -> Params:
    episode = EPISODE._replace(batches=EPISODE.batches[: algorithm.batches])
    state = algorithm.inner.rule.init(PARAMS)
    return algorithm.direction(PROBLEM, Start(PARAMS, state), episode)[0]


def combined(*weights: float, rule: Rule | None = None, loss: str = "mean") -> Params:
    inner = InnerLoop(rule or SGD(LR), len(weights), loss=loss)
    return direction(Combination(inner, weights))


def test_two_gradients_worked_out_by_hand() -> None:
    net, params = linear([2.0, 3.0, 5.0]), linear([2.0, 3.0, 5.0]).params()
    episode = one_example([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 2)
    algorithm = Combination(InnerLoop(SGD(0.5), 2), [2, 3])
    got, _, metrics = algorithm.direction(Problem(net, HalfSquare()), Start(params, {}), episode)
    # g1 = 23 x at w; then w' = w - 11.5 x, x.w' = -138, g2 = -138 x.
    assert got["weight"].tolist() == [[(2 * 23 - 3 * 138) * i for i in (1, 2, 3)]]
    assert float(metrics["loss"]) == 0.5 * 138**2


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_weights_of_one_are_reptile_over_its_learning_rate(loss: str) -> None:
    reptile = direction(Reptile(InnerLoop(SGD(LR), 3, loss=loss)))
    ours = {name: LR * d for name, d in combined(1, 1, 1, loss=loss).items()}
    assert largest_difference(reptile, ours) < 1e-14


def test_the_first_gradient_alone_is_joint_training_on_its_minibatch() -> None:
    joint = direction(Joint(InnerLoop(SGD(LR), 1)))
    for weights in ([1], [1, 0], [1, 0, 0]):
        assert largest_difference(joint, combined(*weights)) == 0


@pytest.mark.parametrize("rule", [SGD(LR), Adam(LR)])
def test_the_last_gradient_alone_is_fomaml_on_the_tail_of_the_stream(rule: Rule) -> None:
    for steps in (2, 3):
        fomaml = direction(FOMAML(InnerLoop(rule, steps - 1), tail="cycle"))
        ours = combined(*[0] * (steps - 1), 1, rule=rule)
        assert largest_difference(fomaml, ours) < 1e-14


def test_the_last_gradient_of_a_sum_is_the_authors_fomaml_over_the_learning_rate() -> None:
    inner = InnerLoop(SGD(LR), 2, loss="sum")
    fomaml = direction(FOMAML(inner, tail="cycle", direction="last_step"))
    ours = {name: LR * d for name, d in combined(0, 0, 1, loss="sum").items()}
    assert largest_difference(fomaml, ours) < 1e-14


def test_a_sum_over_a_minibatch_is_its_size_times_the_mean() -> None:
    size = EPISODE.batches.shape[1]
    mean = combined(1, 2, rule=SGD(LR * size))
    ours = {name: d / size for name, d in combined(1, 2, loss="sum").items()}
    assert largest_difference(mean, ours) < 1e-14


def test_the_direction_is_linear_in_the_weights() -> None:
    alone = [combined(1, 0, 0), combined(0, 1, 0), combined(0, 0, 1)]
    weights = (0.25, -2, 0.5)
    expected = {n: sum(w * d[n] for w, d in zip(weights, alone, strict=True)) for n in PARAMS}
    assert largest_difference(expected, combined(*weights)) < 1e-14


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 0, 1)])
def test_the_rule_meets_every_gradient_whatever_its_weight(weights) -> None:
    rule = Adam(LR)
    algorithm = Combination(InnerLoop(rule, 3), weights)
    _, end, _ = algorithm.direction(PROBLEM, Start(PARAMS, rule.init(PARAMS)), EPISODE)
    adapted = algorithm.inner.adapt(PROBLEM, Start(PARAMS, rule.init(PARAMS)), EPISODE)
    assert int(end["t"]) == int(adapted.state["t"]) == 3
    assert largest_difference(adapted.state["v"], end["v"]) < 1e-13


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], r"algorithm.weights=\[1\]: has 1 entries, and algorithm.inner.steps=2 needs one"),
        ([1, 1, 1], r"has 3 entries, .* For example algorithm.weights=\[0, 1\]"),
        ([], "has 0 entries"),
        ([0, 0.0], r"algorithm.weights=\[0, 0.0\]: are all zero, so that nothing is learned"),
        ([1, "two"], "must be a list of finite numbers"),
        ([1, True], "must be a list of finite numbers"),
        ([1, float("nan")], "must be a list of finite numbers"),
        (0.5, "algorithm.weights=0.5: must be a list of finite numbers"),
        (None, "algorithm.weights=None: must be a list of finite numbers"),
        ("11", "algorithm.weights=11: must be a list of finite numbers"),
    ],
)
def test_weights_that_make_no_sense_are_refused_by_their_key(weights, message: str) -> None:
    node = {
        "_target_": "fewstep.algorithms.combination.Combination",
        "weights": weights,
        "inner": {"rule": "sgd", "lr": LR, "steps": 2},
    }
    with pytest.raises(ConfigError, match=message):
        build_algorithm(node)
