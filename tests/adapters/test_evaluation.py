"""Meta-test: both protocols by hand, rolled-back state, intervals, and curves."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, curve_steps, evaluate_task, predict
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.messages.errors import ConfigError
from fewstep.models import OmniglotConv
from fewstep.records.statistics.intervals import mean_ci95
from fewstep.run.testing.summary import as_numbers, summarize
from problems import CLASSIFICATION, REGRESSION, image_episode, small_episode, small_net


def normalized(batch: np.ndarray) -> np.ndarray:
    return (batch - batch.mean(0)) / np.sqrt(batch.var(0) + 1e-3)


def test_what_batch_norm_sees_in_each_protocol() -> None:
    """Trap 5: inductive is the support set and one query; transductive the queries alone."""
    net = Net(nn.BatchNorm1d(2, eps=1e-3).double())
    support = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, -1.0]])
    query = np.array([[1.0, 1.0], [9.0, 5.0]])
    nothing = torch.zeros(0)
    episode = Episode(torch.tensor(support), nothing, torch.tensor(query), nothing, nothing)

    inductive = (
        predict(Problem(net, REGRESSION), net.params(), episode, "inductive").detach().numpy()
    )
    by_hand = [normalized(np.vstack([support, q]))[-1] for q in query]
    np.testing.assert_allclose(inductive, by_hand, rtol=1e-12)

    transductive = (
        predict(Problem(net, REGRESSION), net.params(), episode, "transductive").detach().numpy()
    )
    np.testing.assert_allclose(transductive, normalized(query), rtol=1e-12)
    support_statistics = (query - support.mean(0)) / np.sqrt(support.var(0) + 1e-3)
    assert not np.allclose(inductive, support_statistics, rtol=0.05)


def test_inductive_predictions_do_not_depend_on_the_other_queries() -> None:
    net, episode = Net(OmniglotConv(3).double()), image_episode()
    alone = episode._replace(query_x=episode.query_x[2:3])
    params = net.params()
    whole = predict(Problem(net, REGRESSION), params, episode, "inductive")
    torch.testing.assert_close(
        whole[2:3], predict(Problem(net, REGRESSION), params, alone, "inductive")
    )
    together = predict(Problem(net, REGRESSION), params, episode, "transductive")
    shuffled = episode._replace(query_x=episode.query_x.roll(1, 0) + 1.0)
    assert not torch.allclose(
        together, predict(Problem(net, REGRESSION), params, shuffled, "transductive").roll(-1, 0)
    )


def test_meta_test_starts_from_the_trained_state_and_rolls_it_back() -> None:
    """Trap 3: fresh Adam state and trained Adam state predict differently; neither is changed."""
    rule, net, episode = Adam(0.01), small_net(), small_episode()
    setting = Setting(EpisodeSpec(1, 6, 4, 3, 2), ("transductive",), (3,))
    trained = rule.init(net.params())
    trained["v"] = {name: v + 4.0 for name, v in trained["v"].items()}
    trained["t"] += 1000
    before, params = copy.deepcopy(trained), net.params()

    def loss(state: dict) -> float:
        inner = InnerLoop(rule, 3)
        outcome = evaluate_task(
            net, Start(params, state), episode, inner=inner, objective=REGRESSION, setting=setting
        )
        return float(outcome["transductive"]["loss"][-1])

    first = loss(trained)
    assert first == loss(trained)
    assert int(trained["t"]) == int(before["t"])
    assert all(torch.equal(trained["v"][name], v) for name, v in before["v"].items())
    assert abs(first - loss(rule.init(params))) > 1e-3


def test_the_curve_is_the_adaptation_itself() -> None:
    """Measured along the way or alone, a step's figure is the same; step 0 is the prior."""
    inner, net, episode = InnerLoop(SGD(0.1), 3), small_net(), small_episode()
    spec = EpisodeSpec(1, 6, 4, 3, 2)

    def losses(steps: tuple[int, ...]) -> list[float]:
        setting = Setting(spec, ("inductive", "transductive"), steps)
        outcome = evaluate_task(
            net,
            Start(net.params(), {}),
            episode,
            inner=inner,
            objective=REGRESSION,
            setting=setting,
        )
        return outcome["transductive"]["loss"].tolist()

    curve = losses((0, 1, 2, 3))
    assert [losses((step,))[0] for step in range(4)] == curve
    prior = net(net.params(), episode.query_x)
    assert curve[0] == float(REGRESSION.metrics(prior, episode.query_y)["loss"])
    assert len(set(curve)) == 4


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (0, (0,)),
        (1, (0, 1)),
        (7, (0, 1, 2, 3, 5, 7)),
        (8, (0, 1, 2, 3, 5, 8)),
        (300, (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300)),
    ],
)
def test_curve_steps_end_with_the_last_step(steps: int, expected: tuple[int, ...]) -> None:
    assert curve_steps(steps) == expected
    assert Setting(EpisodeSpec(1, 1, 1, steps), curve_steps=expected).final.curve_steps == (steps,)


def test_interval_over_tasks() -> None:
    """600 tasks with a population standard deviation of 0.10: 1.96 * 0.10 / sqrt(600)."""
    values = torch.tensor([0.4, 0.6] * 300)
    mean, half_width = mean_ci95(values)
    assert mean == pytest.approx(0.5)
    assert half_width == pytest.approx(0.0080, abs=2e-5)
    assert math.isnan(mean_ci95(values[:1])[1])


def test_what_a_test_keeps_of_its_tasks_are_numbers_bit_for_bit() -> None:
    """No tensors: a small one of each task, between large ones, would make memory grow by these."""
    drawn = torch.rand(3, generator=torch.Generator().manual_seed(0))
    tensors = {"inductive": {"loss": drawn, "acc": drawn.double() / 3}}
    (kept,) = as_numbers([tensors])
    assert [type(n) for n in kept["inductive"]["loss"]] == [float] * 3
    assert torch.equal(torch.tensor(kept["inductive"]["loss"]), drawn)
    assert kept["inductive"]["acc"] == [float(number) / 3 for number in drawn]
    record = summarize([kept, kept], "inductive", (0, 1, 2))
    assert record == summarize([tensors, tensors], "inductive", (0, 1, 2))


def test_summary_counts_the_tasks_behind_each_figure() -> None:
    """Three tasks, the first two along the curve: the final figure rests on all three."""

    def outcome(*acc: float) -> dict:
        values = torch.tensor(acc)
        return {"inductive": {"loss": 1 - values, "acc": values}}

    record = summarize([outcome(0.0, 1.0), outcome(0.5, 0.5), outcome(0.3)], "inductive", (0, 5))
    assert record["acc"] == pytest.approx(0.6)
    assert record["curve"]["steps"] == [0, 5]
    assert record["curve"]["tasks"] == 2
    assert record["curve"]["acc"] == pytest.approx([0.25, 0.75])
    assert record["acc_ci95"] == pytest.approx(1.96 * np.std([1.0, 0.5, 0.3]) / 3**0.5, rel=1e-4)
    assert "loss_ci95" not in record


def test_a_regression_reports_its_loss_with_an_interval() -> None:
    record = summarize([{"inductive": {"loss": torch.tensor([2.0])}}] * 3, "inductive", (5,))
    assert record["loss"] == 2.0
    assert record["loss_ci95"] == 0.0
    assert set(record["curve"]) == {"steps", "tasks", "loss", "loss_ci95"}


def test_accuracy_by_hand() -> None:
    outputs = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.1]])
    metrics = CLASSIFICATION.metrics(outputs, torch.tensor([0, 0, 0, 1]))
    assert float(metrics["acc"]) == 0.75


class Probing:
    """Regression, and what it does to the parameters of a task besides."""

    inner_loss = outer_loss = staticmethod(REGRESSION.inner_loss)
    metrics = staticmethod(REGRESSION.metrics)

    def __init__(self, probe) -> None:
        self.probe = lambda net, params, episode: probe(params)


def probed(probe) -> dict:
    setting = Setting(EpisodeSpec(1, 6, 4, 3, 2), ("transductive",), (0, 3))
    net, objective = small_net(), Probing(probe)
    start, how = Start(net.params(), {}), {"inner": InnerLoop(SGD(0.1), 3), "setting": setting}
    return evaluate_task(net, start, small_episode(), objective=objective, **how)["transductive"]


def test_a_probe_that_writes_changes_nothing_of_the_task() -> None:
    """It has copies: what comes after it starts where the last step led."""
    written = probed(lambda params: {"x": params["0.weight"].mul_(0).sum()})
    assert written["x"].tolist() == [0, 0]
    assert torch.equal(written["loss"], probed(lambda params: {})["loss"])


def test_what_is_measured_at_one_point_of_a_task_alone_is_named() -> None:
    some = iter([{}, {"x": torch.zeros(())}])
    with pytest.raises(ConfigError) as refused:
        probed(lambda params: next(some))
    assert str(refused.value) == (
        "dataset: its objective measures x at one point of a task and not at another. Let its "
        "metrics, and its probe, give the same names every time"
    )
