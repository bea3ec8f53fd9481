"""Section 5.1 in a real training: do gradients of a task's minibatches come to agree?

Two trainings from one initialization meet the same minibatches of the same tasks and move equally
far along AvgGrad. Joint training (k = 1) takes all gradients of a task at the initialization;
Reptile takes them one after another, and so also moves along minus AvgGradInner, which should
raise the inner product of different minibatches' gradients.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, EpisodeSpec, Params
from fewstep.records.statistics.intervals import mean_ci95
from fewstep.run.construction.assembly import opened
from fewstep.run.construction.build import build_tasks
from fewstep.run.episodes import TaskModule
from fewstep.run.experiment import Experiment
from fewstep.run.learner import MetaLearner
from fewstep.theory.problem import flat
from fewstep.theory.training import drafted, train


K, BATCH, SHOTS = 4, 25, 20
"""Section 6.2: four minibatches of 25 of a 5-way task, all drawings of its characters."""

INNER_LR, OUTER_LR = 0.003, 0.25
"""Section 6.2, on a loss that is summed over the minibatch."""

TASKS, MEASUREMENTS = 40, 10
"""Fixed tasks that a measurement is taken on, and measurements of a training after the first."""

COMMON = (
    "shots=5w5s",
    f"shots.train_shots={SHOTS}",
    "meta_batch=5",
    "algorithm.inner.rule=sgd",
    f"algorithm.inner.lr={INNER_LR}",
    "algorithm.inner.loss=sum",
    f"algorithm.inner.steps={K}",
    f"algorithm.inner.batch_size={BATCH}",
    "algorithm.outer.optimizer=SGD",
    "algorithm.outer.final_lr=null",
    "trainer=cpu",
)
TRAININGS = {
    "joint": f"algorithm.outer.lr={OUTER_LR * INNER_LR * K}",  # of a mean of K gradients
    "reptile": f"algorithm.outer.lr={OUTER_LR}",  # of their sum times the inner learning rate
}


def experiments(overrides: Sequence[str]) -> dict[str, Experiment]:
    """Each training, checked and with the data open that both share.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix; or data that is missing or
            damaged.
    """
    drafts = {}
    for name, outer in TRAININGS.items():
        drafts[name] = drafted([f"algorithm={name}", *COMMON, outer, *overrides])
    splits = opened(drafts["reptile"]).splits
    return {name: replace(made, splits=splits) for name, made in drafts.items()}


class Agreement(pl.Callback):
    """Measures, now and then, how far the gradients of a task's minibatches agree."""

    def __init__(self, episodes: Sequence[Episode], every: int) -> None:
        self.episodes, self.every = episodes, every
        self.points: list[dict[str, float]] = []

    def on_train_start(self, trainer: pl.Trainer, learner: MetaLearner) -> None:
        self._measure(learner)

    def on_train_batch_end(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        if learner.meta_iteration % self.every == 0:
            self._measure(learner)

    def _measure(self, learner: MetaLearner) -> None:
        agreement = partial(task_agreement, objective=learner.objective)
        execution = learner.meet(self.episodes[0])
        measured = execution.map(agreement, (learner.net.params(),), self.episodes)
        point: dict[str, float] = {"meta_iteration": learner.meta_iteration}
        names = ("inner_product", "cosine", "loss")
        for name, values in zip(names, zip(*measured, strict=True), strict=True):
            point[name], point[f"{name}_ci95"] = mean_ci95(torch.stack(values))
        self.points.append(point)


def task_agreement(
    net: Net, params: Params, episode: Episode, objective: Objective
) -> tuple[Tensor, Tensor, Tensor]:
    """Inner product and cosine of the gradients of a task's minibatches, averaged over all pairs,
    and the mean loss: scalars. The gradients are of mean losses, whatever is trained with."""
    mean, gradients, losses = InnerLoop(SGD(lr=1.0), steps=1), [], []
    problem = Problem(net, objective)
    for rows in episode.batches:
        examples = problem.minibatch(episode, rows)
        metrics, gradient = mean.gradient(problem, params, examples)
        gradients.append(flat(gradient))
        losses.append(metrics["loss"])
    pairs = list(itertools.combinations(gradients, 2))
    products = torch.stack([a @ b for a, b in pairs])
    cosines = torch.stack([torch.cosine_similarity(a, b, dim=0) for a, b in pairs])
    return products.mean(), cosines.mean(), torch.stack(losses).mean()


def during_training(trainings: Mapping[str, Experiment]) -> dict[str, Any]:
    """The agreement along each training, means with 95 % half-widths over tasks.

    It is measured on tasks of the training classes that no training meets: those of the next seed.
    """
    spec, first = EpisodeSpec(5, SHOTS, 0, K, BATCH), trainings["reptile"]
    split = first.splits["train"].to("cpu", torch.float32)
    episodes = [split.episode(spec, first.seed + 1, i) for i in range(TASKS)]
    found = [
        {
            "algorithm": name,
            "k": 1 if name == "joint" else K,
            "points": _train(experiment, build_tasks(first), episodes),
        }
        for name, experiment in trainings.items()
    ]
    return {"dataset": first.source.name, "tasks": TASKS, "trainings": found}


def _train(
    experiment: Experiment, tasks: TaskModule, episodes: Sequence[Episode]
) -> list[dict[str, float]]:
    end = experiment.schedule.max_meta_iterations
    agreement = Agreement(episodes, max(1, end // MEASUREMENTS))
    train(experiment, tasks, [agreement])
    return agreement.points
