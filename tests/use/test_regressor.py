"""A few points to a function, where tasks are regressions."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import fewstep
from fewstep.adapters.gradient import InnerLoop
from fewstep.core.net import Net
from fewstep.core.objectives import ChainMean, Regression
from fewstep.core.rules import SGD, MetaSGD
from fewstep.core.types import Start
from fewstep.models import LinearChains
from fewstep.use.initialization import Initialization
from fewstep.use.learning import Learner
from fewstep.use.origin import Origin


X, Y = np.array([1.0, 2.0, -1.0]), np.array([3.0, 5.0, -1.0])


def zero(outputs: int = 1, steps: int = 1) -> Initialization:
    """A line that begins at 0, and goes down the mean squared error at a rate of 0.1."""
    module, rule = nn.Linear(1, outputs), SGD(0.1)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    params = Net(module).params()
    start = Start(params, rule.init(params))
    learner = Learner(module, start, InnerLoop(rule, steps), Regression(), 1, steps, None)
    return Initialization(learner, None, Origin("zero"))


def test_one_step_is_the_gradient_of_the_mean_squared_error() -> None:
    """w = 2 lr mean(x y), b = 2 lr mean(y)."""
    one = zero().regress(X, Y)
    w, b = 0.2 * np.mean(X * Y), 0.2 * np.mean(Y)
    assert one.predict([0.0, 1.0, 10.0]) == pytest.approx([b, w + b, 10 * w + b])
    assert [step for step, _ in one.curve] == [0, 1]
    assert one.curve[0][1] == pytest.approx(np.mean(Y**2))


def test_many_steps_find_the_line() -> None:
    line = zero().regress(X, Y, steps=500)
    assert line.predict(X[:, None]) == pytest.approx(Y, abs=1e-4)
    assert line.score(X, Y) == pytest.approx(1)
    assert line.score(X, Y[::-1]) < 0


def test_values_of_several_dimensions_keep_them() -> None:
    both = zero(outputs=2, steps=500).regress(X, np.stack([Y, -Y], 1))
    assert both.predict([4.0]).shape == (1, 2)
    assert both.predict([4.0])[0] == pytest.approx([9, -9], abs=1e-3)


def test_the_answer_of_several_chains_is_their_mean() -> None:
    """Each goes down half its squared error, summed: w = lr sum(x y), from starts of their own."""
    module, rule = LinearChains(1, chains=3), SGD(0.1)
    module.weight.data += torch.tensor([[0.0], [0.3], [0.6]])
    start, inner = Start(Net(module).params(), {}), InnerLoop(rule, 1, loss="sum")
    learner = Learner(module, start, inner, ChainMean(), 1, 1, None)
    one = Initialization(learner, None, Origin("chains")).regress(X, Y)
    w = 0.3 + 0.1 * np.sum(X * (Y - 0.3 * X))
    assert one.predict([1.0, 10.0]) == pytest.approx([w, 10 * w])
    assert one.curve[0][1] == pytest.approx(np.mean((Y - 0.3 * X) ** 2))


WRONG = {
    "y: there are 2 values, and 3 points": (X, Y[:2]),
    "y: contains NaN or infinity": (X, [1, np.nan, 2]),
    "X contains NaN": ([1, np.inf, 2], Y),
    r"has shape \(2,\), and the network was trained to give \(1,\)\. Give y as \[n, 1\]$": (
        X,
        np.ones((3, 2)),
    ),
    "^y: holds complex numbers, and must hold real ones$": (X, Y + 1j),
    "^y: holds dates, and must hold numbers$": (X, np.array(["2020-01-01"] * 3, dtype="M8[D]")),
    "^x: holds times, and must hold numbers$": (np.arange(3).astype("m8[s]"), Y),
    "^y: holds texts, and must hold numbers$": (X, np.array(["a", "b", 1], dtype=object)),
    "^y: a set, in which nothing has a place. Give a list or an array$": (X, {1.0, 2.0, 3.0}),
    r"y: an array of shape \(1, 1, 3\)": (X, [[[1, 2, 3]]]),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_learned_is_named(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zero().regress(*WRONG[message])


def test_classes_and_values_are_not_mistaken_for_each_other() -> None:
    with pytest.raises(ValueError, match=r"init=zero: was trained on values, .*regress\(x, y\)"):
        zero().adapt(X[:, None], ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"trained on classes, not on values\. Use adapt\("):
        fewstep.load("glyphs").regress(X, Y)


def test_more_steps_than_its_rates_were_learned_for_are_said() -> None:
    init = zero(steps=5)
    learner = replace(init.learner, inner=InnerLoop(MetaSGD(0.1), 5))
    init = replace(init, learner=learner)
    told = (
        "steps=9: init=zero has learned its rates for 5 steps, and may blow up beyond them. Use "
        "steps=5 or less"
    )
    with pytest.warns(UserWarning, match=f"^{told}$"):
        init.with_settings(steps=9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init.with_settings(steps=5)
        zero(steps=5).with_settings(steps=9)


@pytest.mark.slow
@pytest.mark.run
def test_a_run_on_waves_is_loaded_and_learns_one(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["experiment=sine", "max_meta_iterations=3", "eval.tasks=3", "trainer=cpu"]
    done = fewstep.train([*words, "execution=serial", "baselines.random=false"])
    init = fewstep.load(done.folder)
    assert isinstance(init, Initialization)
    x = np.linspace(-5, 5, 10)
    wave = init.regress(x, 2 * np.sin(x + 1), steps=200)
    assert wave.curve[-1][1] < wave.curve[0][1]
    assert wave.predict(x).shape == (10,)
