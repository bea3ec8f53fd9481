"""One short piece of what a run will do, before there is a run: what fails here fails in one line.

One task's direction by the algorithm and by the joint baseline, and one task measured in each
setting and protocol, the way the run will do it. Nothing of the run is changed by it: what could
remember the trial (a module, an algorithm, an objective) is a copy, and the generators of random
numbers are put back.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import torch
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.heads import check_called_last
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.config.ranks import outside
from fewstep.core.chance import untouched
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import place_state
from fewstep.core.traits import PLAIN
from fewstep.core.types import Episode, EpisodeSpec, Examples, Params, Split, Start
from fewstep.execution.base import Execution
from fewstep.execution.choice import make_execution
from fewstep.execution.meta_batch import MetaBatch
from fewstep.execution.serial import Serial
from fewstep.run.checks.answers import check_answers, check_derivative, check_sound
from fewstep.run.checks.dataset_contract import check_pictures
from fewstep.run.checks.descent import check_descent
from fewstep.run.checks.diagnosis import Place, explained
from fewstep.run.checks.network_sizes import Graph, Graphs, check_copies, check_graphs
from fewstep.run.checks.own_algorithm import check_direction, is_own
from fewstep.run.checks.own_rule import check_rule
from fewstep.run.checks.trial import Trial, mapped
from fewstep.run.experiment import Experiment
from fewstep.run.lightning import device_of


LONG = 100
"""Inner steps up to which a direction is tried whole; a longer loop is tried with so many."""
PROBE = 4  # examples that tell what many would take
MANY = 1000  # examples whose graphs are held together, up to which they fit in any case
SHORT = 2  # inner steps before the predictions that are tried


class Preflight:
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
        self._trial = Trial(self.module, self.start)

    @property
    def plain(self) -> Execution:
        """The execution's way of derivatives, without programs."""
        assert self._plain is not None, "no task has been met yet"
        return self._plain

    def training(self, split: Split) -> None:
        """Try one task of the algorithm, and one of the joint baseline where there is one.

        Raises:
            ConfigError: what failed, and the way out.
        """
        with untouched():
            self._direction(self.experiment, split)
            if joint := self.experiment.joint:
                self.hands_over = False
                self._direction(replace(self.experiment, recipe=joint), split)

    def test(self, split: Split) -> None:
        """Measure one task in each setting and protocol, after fewer inner steps than it has.

        Raises:
            ConfigError: what failed, and the way out.
        """
        with untouched():
            for number, setting in enumerate(self.experiment.test.settings):
                self._measure(setting, split, number)

    def _direction(self, asked: Experiment, split: Split) -> None:
        recipe, whole = asked.recipe, self.hands_over
        if recipe.spec.steps > LONG:
            recipe, whole = recipe.shortened(LONG), False
        algorithm, spec = copy.deepcopy(recipe.algorithm), recipe.spec
        episodes = self._episodes(split, spec, asked.seed, asked.schedule.meta_batch)
        place = Place(asked, "training", spec, episodes[0])
        begun = self._begun(place, algorithm.inner, episodes[0])
        self._check_room(place, algorithm.inner, episodes[0], begun)
        examples = self._problem().first(episodes[0])
        self._answers(place, examples, begun)
        with explained(place):
            _, grads = algorithm.inner.whole.gradient(self._problem(), begun, examples)
        check_derivative(place, grads)
        if is_own(algorithm.inner.rule):
            check_rule(algorithm.inner, self._problem(), self.start, episodes[0])
        check_descent(asked, split)
        if is_own(algorithm):
            check_direction(copy.deepcopy(algorithm), self._problem(), self.start, episodes[0])
        run = self.learner.meet(episodes[0]) if whole else self.plain
        work = MetaBatch(algorithm, self.objective, recipe.outer.aggregator).total
        check_sound(place, self._trial.run(place, run, work, episodes)[0])

    def _measure(self, setting: Setting, split: Split, number: int) -> None:
        test = self.experiment.test
        spec = replace(setting.spec, steps=min(setting.spec.steps, SHORT))
        episodes = self._episodes(split, spec, test.seed, test.tasks)
        place = Place(self.experiment, "test", spec, episodes[0], number)
        check_pictures(setting.shift, place)
        inner = copy.deepcopy(self.learner.algorithm.inner)
        begun = self._begun(place, inner, episodes[0])
        self._answers(place, self._problem().support(episodes[0]), begun)
        for protocol in setting.protocols:  # one by one, to tell which of them cannot be measured
            short = Setting(spec, (protocol,), (spec.steps,), setting.shift)
            task = partial(evaluate_task, inner=inner, objective=self.objective, setting=short)
            work, where = partial(mapped, task), replace(place, stage=protocol)
            self._trial.run(where, self.plain, work, episodes)

    def _episodes(self, split: Split, spec: EpisodeSpec, seed: int, tasks: int) -> list[Episode]:
        """One, or under `vmap` two, which it stacks."""
        split = split.to("cpu", next(iter(self.start.params.values())).dtype)
        some = [split.episode(spec, seed, index) for index in range(min(2, tasks))]
        episodes = pytree.tree_map(lambda tensor: tensor.to(self.device), some)
        self._meet(episodes[0], spec)
        return episodes if self.vmap else episodes[:1]

    def _meet(self, episode: Episode, spec: EpisodeSpec) -> None:
        """Choose the execution for the network by this task, unless one was met before."""
        if self._plain is not None:
            return
        name = self.learner.execution_name
        with explained(Place(self.experiment, "training", spec, episode)):
            chosen = make_execution(name, self.module, self.device, episode)
        serial = Serial(self.module, chosen.traits)
        self._plain, self.vmap = (chosen, True) if chosen.name == "vmap" else (serial, False)

    def _begun(self, place: Place, inner: InnerLoop, episode: Episode) -> Params:
        """Where the task starts, as far as its head tells."""
        if inner.head == "trained":
            return self.start.params
        with explained(place):
            check_called_last(self._problem(), self.start.params, episode)
            return inner.start(self._problem(), self.start, episode).params

    def _check_room(self, place: Place, inner: InnerLoop, episode: Episode, at: Params) -> None:
        """Refuse an inner loop whose graph fits nowhere, by that of a few examples."""
        recipe, batch = place.experiment.recipe, episode.batches[:1].flatten()
        whole = recipe.inner_steps if recipe.can_checkpoint else 1  # of MAML
        steps = recipe.checkpoint_steps or whole
        tasks = place.experiment.schedule.meta_batch if self.vmap else 1
        if tasks * steps * len(batch) < MANY:
            return
        examples = self._problem().minibatch(episode, batch[:PROBE])
        self._answers(place, examples, at)
        with explained(place), Graph() as graph:
            inner.whole.gradient(self._problem(), at, examples)
        graphs = Graphs(graph.bytes / len(examples.x), len(batch), steps, tasks, recipe)
        check_graphs(graphs, place.experiment.machine.accelerator)

    def _problem(self) -> Problem:
        traits = PLAIN if self._plain is None else self._plain.traits
        return Problem(Net(self.module, traits=traits).replica(), self.objective)

    def _answers(self, place: Place, examples: Examples, at: Params) -> None:
        """The network takes the data, and answers as its objective asks."""
        with explained(place), torch.no_grad():
            outputs = self._problem().net(at, examples.x, examples.given)
        check_answers(place, outputs, examples, self.objective)
