"""What is measured: the parts of one configuration, and its training without Lightning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from fewstep.algorithms import Algorithm
from fewstep.core.rules import State
from fewstep.core.types import Episode, EpisodeSpec, Params, Split
from fewstep.run import build
from fewstep.run.episodes import MetaBatches, TaskModule
from fewstep.run.learner import MetaLearner


Config = Mapping[str, Any]


@dataclass
class Subject:
    """A configuration's learner and tasks, on the device that it would train on."""

    config: Config
    learner: MetaLearner
    tasks: TaskModule
    split: Split
    """The training split, on the device."""

    @property
    def device(self) -> torch.device:
        return self.learner.device

    @property
    def state(self) -> State:
        """The inner rule's, as the tasks so far have left it."""
        return self.learner.state

    @property
    def meta_batch(self) -> int:
        return self.config["meta_batch"]

    def meta_batches(self) -> Iterator[list[Episode]]:
        """The meta-batches that a training draws, from its first."""
        spec, seed = self.tasks.train_spec, self.config["seed"]
        return iter(MetaBatches(self.split, spec, seed, self.meta_batch, 0))

    def with_steps(self, steps: int) -> tuple[Algorithm, EpisodeSpec]:
        """The algorithm and its training task at another number of inner steps, all of whose
        graph is held at once."""
        chosen = self.config["algorithm"]
        changed = {**chosen, "inner": {**chosen["inner"], "steps": steps}}
        if "checkpoint_steps" in chosen:
            changed["checkpoint_steps"] = None
        spec = build.train_spec({**self.config, "algorithm": changed})
        return build.build_algorithm(changed), spec


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


def open_subject(config: Config) -> Subject:
    """Build what a checked configuration says, on its device."""
    dataset = build.build_dataset(config["dataset"])
    tasks = build.build_tasks(config, build.open_splits(dataset, config))
    learner = build.build_learner(config, dataset.objective)
    gpu = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    learner.to("cuda" if gpu else "cpu").place_state()
    dtype = next(iter(learner.net.params().values())).dtype
    split = tasks.splits["train"].to(learner.device, dtype)
    learner.meet(split.episode(replace(tasks.train_spec, steps=1), config["seed"], 0))
    return Subject(config, learner, tasks, split)
