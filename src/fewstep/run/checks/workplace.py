"""Where an experiment's parts are tried: on the device that they will run on, and as copies."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.heads import check_called_last
from fewstep.config.ranks import outside
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import place_state
from fewstep.core.traits import PLAIN
from fewstep.core.types import Episode, EpisodeSpec, Examples, Params, Split, Start
from fewstep.execution.base import Execution
from fewstep.execution.choice import make_execution
from fewstep.execution.serial import Serial
from fewstep.run.checks.answers import check_answers
from fewstep.run.checks.diagnosis import Place, explained
from fewstep.run.checks.network_sizes import check_copies
from fewstep.run.checks.own_rule import before_the_rule
from fewstep.run.checks.trial import Trial
from fewstep.run.experiment import Experiment
from fewstep.run.lightning import device_of


class Workplace:
    """An experiment's parts where they will run, those that could remember anything as copies."""

    def __init__(self, experiment: Experiment) -> None:
        """
        Raises:
            ConfigError: a network that cannot be copied, or that is too large.
        """
        machine, learner = experiment.machine, experiment.learner
        alone = machine.ranks == 1 or outside() is not None
        self.experiment, self.learner = experiment, learner
        self._plain: Execution | None = None
        self.vmap = False
        check_copies(learner.module, experiment.model, machine.accelerator)
        self.device = device_of(machine) if alone else torch.device("cpu")
        with explained(Place(experiment, "build", experiment.recipe.spec)):
            self.module = copied(learner.module).to(self.device)
        self.objective = copy.deepcopy(learner.objective)
        self.hands_over = alone and self.device.type == "cpu"
        """Whether the run will take over the learner's own execution, with its programs."""
        params = {name: p.to(self.device) for name, p in learner.params().items()}
        self.start = Start(params, place_state(learner.state, params))
        self.trial = Trial(self.module, self.start)

    @property
    def plain(self) -> Execution:
        """The execution's way of derivatives, without programs."""
        assert self._plain is not None, "no task has been met yet"
        return self._plain

    def episodes(self, split: Split, spec: EpisodeSpec, seed: int, tasks: int) -> list[Episode]:
        """So many, the first of which chooses the execution unless one was met before."""
        split = split.to("cpu", next(iter(self.start.params.values())).dtype)
        some = [split.episode(spec, seed, index) for index in range(tasks)]
        episodes = pytree.tree_map(lambda tensor: tensor.to(self.device), some)
        self._meet(episodes[0], spec)
        return episodes

    def some(self, split: Split, spec: EpisodeSpec, seed: int, tasks: int) -> list[Episode]:
        """One, or under `vmap` two, which it stacks."""
        episodes = self.episodes(split, spec, seed, min(2, tasks))
        return episodes if self.vmap else episodes[:1]

    def _meet(self, episode: Episode, spec: EpisodeSpec) -> None:
        if self._plain is not None:
            return
        name = self.learner.execution_name
        with explained(Place(self.experiment, "training", spec, episode)):
            chosen = make_execution(name, self.module, self.device, episode)
        serial = Serial(self.module, chosen.traits)
        self._plain, self.vmap = (chosen, True) if chosen.name == "vmap" else (serial, False)

    def begun(self, place: Place, inner: InnerLoop, episode: Episode) -> Params:
        """Where the task starts, as far as its head tells."""
        if inner.head == "trained":
            return self.start.params
        with explained(place):
            check_called_last(self.problem(), self.start.params, episode)
            return before_the_rule(inner, self.problem(), self.start, episode).params

    def tasks(
        self, place: Place, inner: InnerLoop, episodes: Iterable[Episode]
    ) -> list[tuple[Params, Episode]]:
        """The same of several, each with where it starts."""
        return [(self.begun(place, inner, episode), episode) for episode in episodes]

    def problem(self) -> Problem:
        """By a network of one's own."""
        traits = PLAIN if self._plain is None else self._plain.traits
        return Problem(Net(self.module, traits=traits).replica(), self.objective)

    def answers(self, place: Place, examples: Examples, at: Params) -> None:
        """The network takes the data, and answers as its objective asks.

        Raises:
            ConfigError: it does not.
        """
        with explained(place), torch.no_grad():
            outputs = self.problem().net(at, examples.x, examples.given)
        check_answers(place, outputs, examples, self.objective)
