"""The outer step: what is averaged, what is interpolated, and how the step size falls."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting
from fewstep.algorithms.reptile import Reptile
from fewstep.core.outer import OuterStep
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.types import EpisodeSpec, Start
from fewstep.run.episodes import Chunk
from fewstep.run.learner import MetaLearner
from problems import REGRESSION, HalfSquare, one_example, small_episode, small_net


class Fixed(torch.utils.data.IterableDataset):
    """The same meta-batch over and over."""

    def __init__(self, episodes: list) -> None:
        self.episodes = episodes

    def __iter__(self):
        while True:
            yield self.episodes


def fit(learner: MetaLearner, episodes: list) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=learner.max_meta_iterations,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(learner, torch.utils.data.DataLoader(Fixed(episodes), batch_size=None))


def linear_learner(inner: InnerLoop, outer: OuterStep, iterations: int = 1) -> MetaLearner:
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(8.0)
    return MetaLearner(
        module,
        Reptile(inner),
        HalfSquare(),
        outer,
        max_meta_iterations=iterations,
        meta_batch=2,
        execution="serial",
    )


TASKS = [one_example([1.0], [1.0], 1), one_example([2.0], [1.0], 1)]
"""One SGD step of 0.1 takes w to 0.9 w and to 0.6 w."""


def test_all_tasks_start_from_the_same_parameters_and_are_averaged() -> None:
    """Trap 8: 8 -> mean of 7.2 and 4.8, one eps step; one after the other would give another."""
    learner = linear_learner(InnerLoop(SGD(0.1), 1), OuterStep(torch.optim.SGD, lr=0.5))
    fit(learner, TASKS)
    assert learner.module.weight.item() == pytest.approx(8 + 0.5 * (6.0 - 8))
    serially = 8 + 0.25 * (7.2 - 8)
    serially += 0.25 * (0.6 * serially - serially)
    assert learner.module.weight.item() != pytest.approx(serially, abs=0.01)


def test_the_outer_step_size_falls_linearly() -> None:
    """Trap 9: eps_i = 1 - i/T over T = 4 iterations, each taking w to (1 - 0.25 eps_i) w."""
    outer = OuterStep(torch.optim.SGD, lr=1.0, final_lr=0.0)
    learner = linear_learner(InnerLoop(SGD(0.1), 1), outer, iterations=4)
    fit(learner, TASKS)
    expected = 8.0
    for eps in (1.0, 0.75, 0.5, 0.25):
        expected *= 1 - 0.25 * eps
    assert learner.module.weight.item() == pytest.approx(expected)
    assert [outer.scale(i, of=4) for i in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    part = OuterStep(torch.optim.SGD, lr=0.2, final_lr=0.1)
    assert part.scale(1, of=2) * part.lr == pytest.approx(0.15)
    assert OuterStep(torch.optim.SGD, lr=0.2).scale(1, of=2) == 1.0


def test_only_trainable_parameters_are_interpolated() -> None:
    """Trap 7: the outer step touches neither the inner rule's state nor any buffer."""
    net = small_net()
    net.module.register_buffer("mine", torch.tensor([3.0]))
    learner = MetaLearner(
        net.module,
        Reptile(InnerLoop(Adam(0.01), 3)),
        REGRESSION,
        OuterStep(torch.optim.SGD, lr=0.5),
        max_meta_iterations=1,
        meta_batch=1,
        execution="serial",
    )
    end = learner.algorithm.inner.adapt(
        Problem(learner.net, REGRESSION),
        Start(learner.net.params(), learner.state),
        small_episode(),
    )
    fit(learner, [small_episode()])
    assert learner.module.mine.item() == 3.0
    for name, v in end.state["v"].items():  # carried on whole, not halved
        torch.testing.assert_close(learner.state["v"][name], v, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("state", "steps"), [("carry", 12), ("sequential", 12), ("reset", 0)])
def test_what_the_inner_rule_remembers(state: str, steps: int) -> None:
    """Two iterations of two tasks of three steps."""
    learner = MetaLearner(
        small_net().module,
        Reptile(InnerLoop(Adam(0.01), 3, state=state)),
        REGRESSION,
        OuterStep(torch.optim.SGD, lr=0.5),
        max_meta_iterations=2,
        meta_batch=2,
        execution="serial",
    )
    fit(learner, [small_episode(0), small_episode(1)])
    assert int(learner.state["t"]) == steps
    assert any(v.any() for v in learner.state["v"].values()) == (steps > 0)


def test_sequential_is_one_task_after_another() -> None:
    """The second task starts from the memory that the first one left."""
    inner = InnerLoop(Adam(0.01), 3, state="sequential")
    net, tasks = small_net(), [small_episode(0), small_episode(1)]
    learner = MetaLearner(
        net.module,
        Reptile(inner),
        REGRESSION,
        OuterStep(torch.optim.SGD, lr=1.0),
        max_meta_iterations=1,
        meta_batch=2,
        execution="serial",
    )
    params, state, ends = net.params(), learner.state, []
    for task in tasks:
        end = inner.adapt(Problem(net, REGRESSION), Start(params, state), task)
        state, ends = end.state, [*ends, end.params]
    expected = {name: (ends[0][name] + ends[1][name]) / 2 for name in params}
    fit(learner, tasks)
    for name, p in learner.net.params().items():
        torch.testing.assert_close(p, expected[name], rtol=1e-12, atol=1e-14)


def test_any_torch_optimizer_takes_the_outer_step() -> None:
    """Adam's first step is lr * sign(direction), whatever the direction's size."""
    learner = linear_learner(InnerLoop(SGD(0.1), 1), OuterStep(torch.optim.Adam, lr=0.01))
    fit(learner, TASKS)
    assert learner.module.weight.item() == pytest.approx(8 - 0.01, abs=1e-6)


def test_the_state_follows_the_parameters() -> None:
    """All of it goes where the parameters are, its second moment in their precision too."""
    learner = MetaLearner(
        small_net().module.float(),
        Reptile(InnerLoop(Adam(0.01), 3)),
        REGRESSION,
        OuterStep(torch.optim.SGD, lr=1.0),
        max_meta_iterations=1,
        meta_batch=1,
    )
    learner.double().place_state()
    assert {v.dtype for v in learner.state["v"].values()} == {torch.float64}
    learner.to("meta").place_state()
    assert {v.device.type for v in learner.state["v"].values()} == {"meta"}
    assert learner.state["t"].device.type == "meta"
    assert learner.state["t"].dtype == torch.int64


def test_a_chunk_that_was_measured_leaves_numbers_and_no_tensor() -> None:
    """Which would pin what lies around it in the C library's heap until the test is over."""
    learner = linear_learner(InnerLoop(SGD(0.1), 1), OuterStep(torch.optim.SGD, 1.0))
    learner.settle()
    setting = Setting(EpisodeSpec(1, 1, 1, 2, 1), ("inductive",), (0, 2))
    learner.validation_step(Chunk(setting, [one_example([1.0], [1.0], 2)] * 3), 0)
    (outcomes,) = learner.outcomes.values()
    assert len(outcomes) == 3
    assert all(type(leaf) is float for leaf in pytree.tree_leaves(outcomes))
