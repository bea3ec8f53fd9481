"""What is measured: the parts of one configuration, and its training without Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from fewstep.algorithms import Algorithm
from fewstep.core.types import Episode, EpisodeSpec, Params, Split
from fewstep.run.construction.build import build_tasks
from fewstep.run.episodes import MetaBatches, TaskModule
from fewstep.run.experiment import Experiment
from fewstep.run.learner import MetaLearner


@dataclass
class Subject:
    """An experiment with its tasks, on the device that it would train on."""

    experiment: Experiment
    tasks: TaskModule
    split: Split
    """The training split, on the device."""

    @property
    def learner(self) -> MetaLearner:
        return self.experiment.learner

    @property
    def device(self) -> torch.device:
        return self.learner.device

    @property
    def meta_batch(self) -> int:
        return self.experiment.schedule.meta_batch

    def meta_batches(self) -> Iterator[list[Episode]]:
        """The meta-batches that a training draws, from its first."""
        spec, seed = self.tasks.train_spec, self.experiment.seed
        return iter(MetaBatches(self.split, spec, seed, self.meta_batch, 0))

    def with_steps(self, steps: int) -> tuple[Algorithm, EpisodeSpec]:
        """The algorithm and its training task at another number of inner steps, all of whose
        graph is held at once."""
        changed = self.experiment.recipe.again(steps, None)
        return changed.algorithm, changed.spec


class BareLoop:
    """A training as a plain loop: each call is one meta-iteration, from drawing the tasks to the
    outer step, with nothing logged."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.meta_batches = subject.meta_batches()
        (self.optimizer,), (self.schedule,) = subject.learner.configure_optimizers()

    def __call__(self) -> None:
        learner = self.subject.learner
        direction, learner.state, _ = learner.directions(next(self.meta_batches))
        self.outer_step(direction)

    def outer_step(self, direction: Params) -> None:
        """Step along the mean of the tasks' directions, whose sum is given."""
        self.subject.learner.hand_over(direction)
        self.optimizer.step()
        self.schedule.step()


def open_subject(experiment: Experiment) -> Subject:
    """Move an experiment to its device."""
    tasks, learner = build_tasks(experiment), experiment.learner
    gpu = torch.cuda.is_available() and experiment.machine.accelerator != "cpu"
    learner.to("cuda" if gpu else "cpu").place_state()
    dtype = next(iter(learner.net.params().values())).dtype
    split = tasks.splits["train"].to(learner.device, dtype)
    learner.meet(split.episode(replace(tasks.train_spec, steps=1), experiment.seed, 0))
    return Subject(experiment, tasks, split)
