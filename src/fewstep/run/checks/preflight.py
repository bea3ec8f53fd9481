"""One short piece of what a run will do, before there is a run: what fails here fails in one line.

One task's direction by the algorithm and by the joint baseline, and one task measured in each
setting and protocol, the way the run will do it. Nothing of the run is changed by it: what could
remember the trial (a module, an algorithm, an objective) is a copy, and the generators of random
numbers are put back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.algorithms import Algorithm
from fewstep.core.chance import untouched
from fewstep.core.types import Episode, Params, Split
from fewstep.execution.base import Execution
from fewstep.execution.meta_batch import MetaBatch
from fewstep.run.checks.answers import check_derivative, check_sound
from fewstep.run.checks.asking import is_own, named
from fewstep.run.checks.dataset_contract import check_pictures
from fewstep.run.checks.descent import check_descent
from fewstep.run.checks.diagnosis import Place, explained
from fewstep.run.checks.measured import TASKS, check_test, check_training
from fewstep.run.checks.network_sizes import Graph, Graphs, check_graphs
from fewstep.run.checks.own_algorithm import check_direction
from fewstep.run.checks.own_rule import check_rule
from fewstep.run.checks.own_uploads import check_together
from fewstep.run.checks.phases import phases
from fewstep.run.checks.trial import mapped
from fewstep.run.checks.workplace import Workplace
from fewstep.run.experiment import Experiment


LONG = 100
"""Inner steps up to which a direction is tried whole; a longer loop is tried with so many."""
PROBE = 4  # examples that tell what many would take
MANY = 1000  # examples whose graphs are held together, up to which they fit in any case
SHORT = 2  # inner steps before the predictions that are tried


class Preflight(Workplace):
    """Tries what a training, and what its test, will do."""

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
        inner = algorithm.inner
        episodes = self.some(split, spec, asked.seed, asked.schedule.meta_batch)
        place = Place(asked, "training", spec, episodes[0])
        begun = self.begun(place, inner, episodes[0])
        self._check_room(place, inner, episodes[0], begun)
        examples = self.problem().first(episodes[0])
        self.answers(place, examples, begun)
        with explained(place):
            _, grads = inner.whole.gradient(self.problem(), begun, examples)
        check_derivative(place, grads)
        if is_own(inner.rule):
            check_rule(inner, self.problem(), self.start, episodes[0])
        if is_own(self.objective):
            number = min(TASKS, asked.schedule.meta_batch * asked.schedule.max_meta_iterations)
            tasks = self.tasks(place, inner, self.episodes(split, spec, asked.seed, number))
            check_training(place, self.problem(), tasks)
        check_descent(asked, split)
        run = self.learner.meet(episodes[0]) if whole else self.plain
        self._directed(place, algorithm, run, episodes)
        for later in phases(algorithm, asked.schedule.max_meta_iterations, spec, place.key):
            self._directed(place, later, self.plain, episodes)
        if algorithm.uploads:
            self._together(place, algorithm, split)

    def _directed(
        self, place: Place, algorithm: Algorithm, run: Execution, episodes: Sequence[Episode]
    ) -> None:
        """An algorithm's direction, which must be one that can be taken."""
        if is_own(algorithm):
            given = self.problem(), self.start, episodes[0]
            check_direction(copy.deepcopy(algorithm), *given, place.key)
        aggregator = place.experiment.recipe.outer.aggregator
        work = MetaBatch(algorithm, self.objective, aggregator).total
        check_sound(place, self.trial.run(place, run, work, episodes)[0])

    def _together(self, place: Place, algorithm: Algorithm, split: Split) -> None:
        """What is made of all that a whole meta-batch hands over."""
        recipe, seed = place.experiment.recipe, place.experiment.seed
        episodes = self.episodes(split, place.spec, seed, place.experiment.schedule.meta_batch)
        work = MetaBatch(algorithm, self.objective, recipe.outer.aggregator).total
        uploads = self.trial.run(place, self.plain, work, episodes)[0]["uploads"]
        name, own = named(algorithm, place.key), copy.deepcopy(algorithm)
        check_together(name, own, self.module, self.start.params, uploads)

    def _measure(self, setting: Setting, split: Split, number: int) -> None:
        test = self.experiment.test
        spec = replace(setting.spec, steps=min(setting.spec.steps, SHORT))
        episodes = self.some(split, spec, test.seed, test.tasks)
        place = Place(self.experiment, "test", spec, episodes[0], number)
        check_pictures(setting.shift, place)
        inner = copy.deepcopy(self.learner.algorithm.inner)
        begun = self.begun(place, inner, episodes[0])
        self.answers(place, self.problem().support(episodes[0]), begun)
        if is_own(self.objective):
            more = self.episodes(split, spec, test.seed, min(TASKS, test.tasks))
            tasks = self.tasks(place, inner, more)
            check_test(place, self.problem(), setting.protocols[-1], tasks)
        for protocol in setting.protocols:  # one by one, to tell which of them cannot be measured
            short = Setting(spec, (protocol,), (spec.steps,), setting.shift)
            task = partial(evaluate_task, inner=inner, objective=self.objective, setting=short)
            work, where = partial(mapped, task), replace(place, stage=protocol)
            self.trial.run(where, self.plain, work, episodes)

    def _check_room(self, place: Place, inner: InnerLoop, episode: Episode, at: Params) -> None:
        """Refuse an inner loop whose graph fits nowhere, by that of a few examples."""
        recipe, batch = place.experiment.recipe, episode.batches[:1].flatten()
        whole = recipe.inner_steps if recipe.can_checkpoint else 1  # of MAML
        steps = recipe.checkpoint_steps or whole
        tasks = place.experiment.schedule.meta_batch if self.vmap else 1
        if tasks * steps * len(batch) < MANY:
            return
        examples = self.problem().minibatch(episode, batch[:PROBE])
        self.answers(place, examples, at)
        with explained(place), Graph() as graph:
            inner.whole.gradient(self.problem(), at, examples)
        graphs = Graphs(graph.bytes / len(examples.x), len(batch), steps, tasks, recipe)
        check_graphs(graphs, place.experiment.machine.accelerator)
