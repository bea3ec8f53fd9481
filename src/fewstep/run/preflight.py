"""One short piece of what a run will do, before there is a run: what fails here fails in one line.

One task's direction by the algorithm and by the joint baseline, and one task measured in each
setting and protocol, the way the run will do it. Nothing of the run is changed by it: what could
remember the trial (a module, an algorithm, an objective) is a copy, and the generators of random
numbers are put back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.algorithms import Algorithm
from fewstep.config.ranks import count, outside
from fewstep.core.chance import untouched
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import place_state
from fewstep.core.types import Episode, EpisodeSpec, Examples, Split, Start
from fewstep.execution.base import Execution
from fewstep.execution.choice import make_execution
from fewstep.execution.meta_batch import MetaBatch
from fewstep.execution.serial import Serial
from fewstep.messages.errors import ConfigError
from fewstep.run import build
from fewstep.run.answers import check_answers, check_derivative
from fewstep.run.diagnosis import Place, explained
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import device_of
from fewstep.run.sizes import Graph, check_copies, check_graph


Config = Mapping[str, Any]

LONG = 100
"""Inner steps up to which a direction is tried whole; a longer loop is tried with so many."""
PROBE = 4  # examples that tell what many would take
MANY = 1000  # examples whose graphs are held together, up to which they fit in any case
SHORT = 2  # inner steps before the predictions that are tried


class Preflight:
    """A learner's parts where they will run, those that could remember anything as copies."""

    def __init__(self, learner: MetaLearner, config: Config) -> None:
        """
        Raises:
            ConfigError: a network that cannot be copied, or that is too large.
        """
        alone = count(config["trainer"]) == 1 or outside() is not None
        self.learner, self.config = learner, config
        self.plain: Execution | None = None  # the execution's way of derivatives, no programs
        self.vmap = False
        check_copies(learner.module, config)
        self.device = device_of(config) if alone else torch.device("cpu")
        with explained(Place(config, "build")):
            self.module = copied(learner.module).to(self.device)
        self.objective = copy.deepcopy(learner.objective)
        self.hands_over = alone and self.device.type == "cpu"
        """Whether the run will take over the learner's own execution, with its programs."""
        params = {name: p.to(self.device) for name, p in learner.params().items()}
        self.start = Start(params, place_state(learner.state, params))

    def training(self, split: Split) -> None:
        """Try one task of the algorithm, and one of the joint baseline where there is one.

        Raises:
            ConfigError: what failed, and the way out.
        """
        with untouched():
            self._direction(self.learner.algorithm, split, self.config)
            if joint := self.config["baselines"]["joint"]:
                algorithm = {**joint, "inner": self.config["algorithm"]["inner"]}
                changed = {**self.config, "algorithm": algorithm}
                self.hands_over = False
                self._direction(build.build_algorithm(algorithm), split, changed)

    def test(self, split: Split) -> None:
        """Measure one task in each setting and protocol, after fewer inner steps than it has.

        Raises:
            ConfigError: what failed, and the way out.
        """
        with untouched():
            for number, setting in enumerate(build.build_settings(self.config)):
                self._measure(setting, split, number)

    def _direction(self, algorithm: Algorithm, split: Split, asked: Config) -> None:
        algorithm, config, whole = copy.deepcopy(algorithm), asked, self.hands_over
        if build.train_spec(asked).steps > LONG:
            config, whole = _shortened(asked), False
            algorithm = build.build_algorithm(config["algorithm"])
        spec = build.train_spec(config)
        episodes = self._episodes(split, spec, config["seed"], config["meta_batch"])
        place, batch = Place(config, "training", spec, episodes[0]), episodes[0].batches[0]
        self._check_room(place, algorithm.inner, batch, asked)
        examples = self._problem().minibatch(episodes[0], batch)
        self._answers(place, examples)
        with explained(place):
            _, grads = algorithm.inner.whole.gradient(self._problem(), self.start.params, examples)
        check_derivative(place, grads)
        run = self.learner.meet(episodes[0]) if whole else self.plain
        self._run(place, run, MetaBatch(algorithm, self.objective).total, episodes)

    def _measure(self, setting: Setting, split: Split, number: int) -> None:
        test = self.config["eval"]
        spec = replace(setting.spec, steps=min(setting.spec.steps, SHORT))
        episodes = self._episodes(split, spec, test["seed"], test["tasks"])
        place = Place(self.config, "test", spec, episodes[0], number)
        self._answers(place, self._problem().support(episodes[0]))
        inner = copy.deepcopy(self.learner.algorithm.inner)
        for protocol in setting.protocols:  # one by one, to tell which of them cannot be measured
            short = Setting(spec, (protocol,), (spec.steps,))
            task = partial(evaluate_task, inner=inner, objective=self.objective, setting=short)
            self._run(replace(place, stage=protocol), self.plain, partial(_map, task), episodes)

    def _episodes(self, split: Split, spec: EpisodeSpec, seed: int, tasks: int) -> list[Episode]:
        """One, or under `vmap` two, which it stacks."""
        split = split.to("cpu", next(iter(self.start.params.values())).dtype)
        some = [split.episode(spec, seed, index) for index in range(min(2, tasks))]
        episodes = pytree.tree_map(lambda tensor: tensor.to(self.device), some)
        self._meet(episodes[0], spec)
        return episodes if self.vmap else episodes[:1]

    def _meet(self, episode: Episode, spec: EpisodeSpec) -> None:
        """Choose the execution for the network by this task, unless one was met before."""
        if self.plain is not None:
            return
        name = self.learner.execution_name
        with explained(Place(self.config, "training", spec, episode)):
            chosen = make_execution(name, self.module, self.device, episode)
        serial = Serial(self.module, chosen.traits)
        self.plain, self.vmap = (chosen, True) if chosen.name == "vmap" else (serial, False)

    def _check_room(self, place: Place, inner: InnerLoop, batch: Tensor, config: Config) -> None:
        """Refuse an inner loop whose graph fits nowhere, by that of a few examples."""
        algorithm, tasks = config["algorithm"], config["meta_batch"]
        whole = algorithm["inner"]["steps"] if "checkpoint_steps" in algorithm else 1  # of MAML
        steps, tasks = algorithm.get("checkpoint_steps") or whole, tasks if self.vmap else 1
        if tasks * steps * len(batch) < MANY:
            return
        examples = self._problem().minibatch(place.episode, batch[:PROBE])
        self._answers(place, examples)
        with explained(place), Graph() as graph:
            inner.whole.gradient(self._problem(), self.start.params, examples)
        check_graph(graph.bytes / len(examples.x), len(batch), steps, tasks, config)

    def _problem(self) -> Problem:
        return Problem(Net(self.module).replica(), self.objective)

    def _answers(self, place: Place, examples: Examples) -> None:
        """The network takes the data, and answers as its objective asks."""
        with explained(place), torch.no_grad():
            outputs = self._problem().net(self.start.params, examples.x, examples.given)
        check_answers(place, outputs, examples, self.objective)

    def _run(
        self, place: Place, execution: Execution, work: Callable, episodes: Sequence[Episode]
    ) -> None:
        """`work`, which under `vmap` alone is what fails if it does so nowhere else."""
        try:
            work(execution, self.start, episodes)
        except Exception:
            if execution.name != "vmap":
                with explained(place):
                    raise
            with explained(place):
                for episode in episodes:
                    work(Serial(self.module), self.start, [episode])
            with explained(replace(place, stage="vmap")):
                raise


def _shortened(config: Config) -> Config:
    """The same with an inner loop of `LONG` steps; as it is where the algorithm refuses that."""
    algorithm = config["algorithm"]
    changed = {**algorithm, "inner": {**algorithm["inner"], "steps": LONG}}
    if (algorithm.get("checkpoint_steps") or 0) >= LONG:
        changed["checkpoint_steps"] = LONG - 1
    try:
        build.build_algorithm(changed)
    except ConfigError:  # a combination has one weight for each step
        return config
    return {**config, "algorithm": changed}


def _map(task: Callable, run: Execution, start: Start, episodes: Any) -> None:
    run.map(task, (start,), episodes)
