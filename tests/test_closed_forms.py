"""Directions that can be worked out by hand: w' = (I - a x x^T)^k w, and what follows from it."""

from __future__ import annotations

import math

import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.types import Episode, Start
from problems import HalfSquare, linear, one_example


W = [2.0, 3.0, 5.0]
TWICE = torch.zeros(2, 1, dtype=torch.int64)
"""The one example of a task, in two minibatches."""
FIXTURES = {
    # support, query, lr, steps, linear outer loss, w', MAML, FOMAML, outer loss
    "A": (
        [1.0, 2.0, 3.0],
        [4.0, 5.0, 6.0],
        0.5,
        1,
        False,
        [-9.5, -20.0, -29.5],
        [3780.0, 8505.0, 13230.0],
        [-1260.0, -1575.0, -1890.0],
        49612.5,
    ),
    "B": (
        [4.0, 5.0, 6.0],
        [1.0, 2.0, 3.0],
        0.5,
        1,
        False,
        [-104.0, -129.5, -154.0],
        [51975.0, 64350.0, 76725.0],
        [-825.0, -1650.0, -2475.0],
        340312.5,
    ),
    "C": (
        [1.0, 2.0, 3.0],
        [4.0, 5.0, 6.0],
        1.0,
        3,
        True,
        [-3609.0, -7219.0, -10828.0],
        [-5020.0, -10043.0, -15066.0],
        [4.0, 5.0, 6.0],
        -115499.0,
    ),
}


@pytest.mark.parametrize("name", FIXTURES)
def test_fixtures_exactly(name: str) -> None:
    support, query, lr, steps, linear_outer, adapted, maml, fomaml, outer = FIXTURES[name]
    net, task, inner = linear(W), HalfSquare(linear_outer), InnerLoop(SGD(lr), steps)
    episode, params = one_example(support, query, steps), linear(W).params()

    end = inner.adapt(Problem(net, task), Start(params, {}), episode).params
    assert end["weight"].tolist() == [adapted]
    assert float(task.outer_loss(net(end, episode.query_x), episode.query_y)) == outer

    for algorithm, expected in ((MAML(inner), maml), (FOMAML(inner), fomaml)):
        direction, _, _ = algorithm.direction(Problem(net, task), Start(params, {}), episode)
        assert direction["weight"].tolist() == [expected], type(algorithm).__name__


def test_reptile_with_one_step_is_the_learning_rate_times_the_joint_gradient() -> None:
    net, task, inner = linear(W), HalfSquare(), InnerLoop(SGD(0.5), steps=1)
    episode, params = one_example([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 1), linear(W).params()
    reptile, _, _ = Reptile(inner).direction(Problem(net, task), Start(params, {}), episode)
    joint, _, _ = Joint(inner).direction(Problem(net, task), Start(params, {}), episode)
    assert reptile["weight"].tolist() == [[11.5, 23.0, 34.5]]
    assert joint["weight"].tolist() == [[23.0, 46.0, 69.0]]


def test_reptile_with_more_steps_is_not_joint_training() -> None:
    """Trap 25: the difference is that the steps are taken on one task before returning."""
    net, task, inner = linear(W), HalfSquare(), InnerLoop(SGD(0.5), steps=2)
    episode, params = one_example([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 2), linear(W).params()
    reptile, _, _ = Reptile(inner).direction(Problem(net, task), Start(params, {}), episode)
    # g1 = 23 x at w; then w' = w - 11.5 x, x.w' = 23 - 11.5 * 14 = -138, g2 = -138 x.
    assert reptile["weight"].tolist() == [[0.5 * (23 - 138) * i for i in (1, 2, 3)]]


def test_authors_fomaml_is_the_last_optimizer_step() -> None:
    """Trap 13: scaled by the inner learning rate, and the tail is the next of the stream."""
    net, task = linear(W), HalfSquare()
    episode, params = one_example([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 2), linear(W).params()
    algorithm = FOMAML(InnerLoop(SGD(0.5), steps=1), tail="cycle", direction="last_step")
    direction, _, _ = algorithm.direction(Problem(net, task), Start(params, {}), episode)
    assert direction["weight"].tolist() == [[0.5 * -138 * i for i in (1, 2, 3)]]


@pytest.mark.parametrize("tail", ["cycle", "separate"])
def test_under_adam_the_last_step_goes_on_from_the_memory_of_the_inner_loop(tail: str) -> None:
    """8 -> 7.99 by a fresh Adam, whose second step from there is 0.01 * 7.99 / 7.995 and not the
    0.01 of another fresh one; the memory that is left has met both gradients."""
    net, rule = linear([8.0]), Adam(0.01)
    net.module.double()
    episode = Episode(*(t.double() for t in one_example([1.0], [1.0], 2)[:4]), TWICE)
    algorithm = FOMAML(InnerLoop(rule, steps=1), tail=tail, direction="last_step")
    params = net.params()
    direction, end, _ = algorithm.direction(
        Problem(net, HalfSquare()), Start(params, rule.init(params)), episode
    )
    v = 0.999 * 0.001 * 8**2 + 0.001 * 7.99**2
    step = 0.01 * math.sqrt(1 - 0.999**2) * 7.99 / math.sqrt(v)
    assert step == pytest.approx(0.0099937, abs=1e-7)
    assert direction["weight"].item() == pytest.approx(step, rel=1e-6)
    assert end["v"]["weight"].item() == pytest.approx(v, rel=1e-6)
    assert int(end["t"]) == 2


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"tail": "head"}, "algorithm.tail='head': must be one of separate, cycle, replacement"),
        ({"direction": "up"}, "algorithm.direction='up': must be one of gradient, last_step"),
    ],
)
def test_fomaml_refuses_unknown_variants(argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FOMAML(InnerLoop(SGD(0.5), steps=1), **argument)


def test_zero_rows_return_the_initialization() -> None:
    net, params = linear(W), linear(W).params()
    episode = one_example([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 0)
    adapted = InnerLoop(SGD(0.5), 1).adapt(Problem(net, HalfSquare()), Start(params, {}), episode)
    assert torch.equal(adapted.params["weight"], params["weight"])
    assert adapted.metrics == {}


@pytest.mark.parametrize("fixed", ["head.*", [1], ["head.*", None]])
def test_what_is_fixed_is_a_list_of_names(fixed: object) -> None:
    with pytest.raises(ValueError, match=r"algorithm\.inner\.fixed=.*: must be a list"):
        InnerLoop(SGD(0.5), 1, fixed=fixed)
    assert InnerLoop(SGD(0.5), 1, fixed=["head.*"]).fixed == ("head.*",)
