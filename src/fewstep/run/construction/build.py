"""From a checked configuration to what a run is described by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.adapters.meta_test import PAPER, Setting, curve_steps
from fewstep.algorithms import Algorithm
from fewstep.config.ranks import count
from fewstep.config.validation import val_every
from fewstep.core.types import EpisodeSpec
from fewstep.run.construction.source import Source
from fewstep.run.episodes import TaskModule
from fewstep.run.experiment import Experiment, Machine, MetaTest, Schedule


Config = Mapping[str, Any]


def build_source(config: Config) -> Source:
    """What messages and results call the dataset of a configuration."""
    node = config["dataset"]
    target, lists = node.get("_target_", ""), node.get("split_files")
    return Source(
        node.get("name", target), target, node.get("split"), node.get("root"), bool(lists)
    )


def fit_of(config: Config) -> tuple[int, str]:
    """What a network's last layer hangs on, the ways, and the dotted path of the network."""
    return config["shots"]["ways"], config["model"]["_target_"]


def build_spec(algorithm: Algorithm, shots: Config) -> EpisodeSpec:
    """What a task in meta-training looks like."""
    return EpisodeSpec(
        shots.get("train_ways") or shots["ways"],
        shots["train_shots"],
        shots["queries"] if algorithm.needs_queries else 0,
        algorithm.batches,
        algorithm.inner.batch_size,
        algorithm.replacement,
        shots.get("varies") in ("train", "both"),
    )


def build_schedule(config: Config) -> Schedule:
    """How long a training is, and how often it does what."""
    test = config["eval"]
    return Schedule(
        max_meta_iterations=config["max_meta_iterations"],
        meta_batch=config["meta_batch"],
        log_every=config["log_every"],
        checkpoint_every=config["checkpoint_every"],
        val_every=val_every(config),
        val_tasks=test["val_tasks"],
        test_every=test["test_every"],
        test_tasks=test["test_tasks"],
    )


def build_test(config: Config) -> MetaTest:
    """What the end of a run measures: each setting in its protocols."""
    test, shots = config["eval"], config["shots"]
    asked = test["protocol"]
    named = (asked,) if isinstance(asked, str) else tuple(asked)
    protocols = PAPER if asked == "both" else named
    settings = [
        Setting(
            EpisodeSpec(
                s.get("ways", shots["ways"]),
                s["shots"],
                test["queries"],
                s["steps"],
                s["batch_size"],
                varies=shots.get("varies") in ("test", "both"),
            ),
            protocols,
            curve_steps(s["steps"]),
            test.get("shift", 0),
        )
        for s in test["settings"]
    ]
    lists = test.get("manifest"), config.get("benchmark")
    counts = test["seed"], test["tasks"], test["curve_tasks"]
    return MetaTest(tuple(settings), *counts, test["checkpoint"], *lists)


def build_machine(config: Config) -> Machine:
    """Where a run goes, and how its tasks are run there."""
    trainer = config["trainer"]
    accelerator, precision = trainer["accelerator"], str(trainer["precision"])
    return Machine(trainer, accelerator, precision, count(trainer), config["execution"])


def build_tasks(experiment: Experiment) -> TaskModule:
    """The tasks of a run, for Lightning."""
    test = experiment.test
    return TaskModule(
        experiment.splits,
        experiment.recipe.spec,
        experiment.schedule.meta_batch,
        experiment.seed,
        test.settings,
        eval_seed=test.seed,
        tasks=test.tasks,
        curve_tasks=test.curve_tasks,
    )
