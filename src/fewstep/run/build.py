"""From a checked configuration to objects: the only place that instantiates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import PROTOCOLS, Setting, curve_steps
from fewstep.algorithms import Algorithm
from fewstep.config.instantiate import call, locate, make
from fewstep.config.ranks import count
from fewstep.core.contents import check_contents
from fewstep.core.rules import RULES
from fewstep.core.types import EpisodeSpec
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.run.episodes import TaskModule
from fewstep.run.experiment import Experiment, Machine, MetaTest, Schedule, Source
from fewstep.run.sizes import with_sizes


Config = Mapping[str, Any]

RECIPE = {"name", "outer", "meta_batch", "train_shots", "queries", "eval"}
"""Keys of an algorithm's YAML that are its recipe and not arguments of its class."""

FACTS = frozenset({"name", "channels", "size"})  # of a dataset's YAML, for the model to read


def build_algorithm(config: Config, key: str = "algorithm") -> Algorithm:
    """The algorithm of an `algorithm/` file, with its inner loop.

    Raises:
        ConfigError: a class that cannot be imported, or an argument that it does not take.
    """
    inner = dict(config["inner"])
    rule, lr = inner.pop("rule"), inner.pop("lr")
    options = inner.pop("options", None) or {}
    if rule not in RULES and "." not in rule:
        raise ConfigError(
            f"{key}.inner.rule={rule}: must be one of {', '.join(RULES)}, or the dotted path of a "
            f"class of your own.{did_you_mean(rule, RULES)} For example {key}.inner.rule=sgd"
        )
    make_rule = RULES.get(rule) or locate(f"{key}.inner.rule", rule)
    made_rule = call(make_rule, f"{key}.inner.options", {"lr": lr, **options})
    target = inner.pop("_target_", None)
    make_loop = locate(f"{key}.inner._target_", target) if target else InnerLoop
    loop = call(make_loop, f"{key}.inner", {"rule": made_rule, **inner})
    arguments = {name: value for name, value in config.items() if name not in RECIPE}
    made = make(key, {**arguments, "inner": loop})
    if not isinstance(made, Algorithm):
        raise ConfigError(
            f"{key}._target_={config['_target_']}: is no algorithm. Let it inherit from "
            "fewstep.algorithms.Algorithm"
        )
    return made


def build_model(config: Config) -> nn.Module:
    """The network of a `model/` file, in the state that torch's seed gives it.

    Raises:
        ConfigError: what is no network, is too large, or is none that a task can have to itself.
    """
    model = with_sizes(lambda: make("model", config), config["_target_"])
    try:
        check_contents(model)
    except ValueError as error:
        raise ConfigError(f"model._target_={config['_target_']}: {error}") from None
    return model


def build_dataset(config: Config) -> Any:
    """The dataset of a `dataset/` file; opening it is up to the caller."""
    made = make("dataset", config, spare=FACTS)
    if not hasattr(made, "objective"):
        raise ConfigError(
            f"dataset._target_={config['_target_']}: has no objective, the losses and metrics that "
            "it is learned by. For example objective = fewstep.core.objectives.Classification()"
        )
    return made


def build_source(config: Config) -> Source:
    """What messages and results call the dataset of a configuration."""
    node = config["dataset"]
    target, lists = node.get("_target_", ""), node.get("split_files")
    return Source(
        node.get("name", target), target, node.get("split"), node.get("root"), bool(lists)
    )


def dataset_of(config: Config) -> Any:
    """The dataset of a whole configuration."""
    return build_dataset(config["dataset"])


def fit_of(config: Config) -> tuple[int, str]:
    """What a network's last layer hangs on, the ways, and the dotted path of the network."""
    return config["shots"]["ways"], config["model"]["_target_"]


def build_schedule(config: Config) -> Schedule:
    """How long a training is, and how often it does what."""
    test = config["eval"]
    return Schedule(
        max_meta_iterations=config["max_meta_iterations"],
        meta_batch=config["meta_batch"],
        log_every=config["log_every"],
        checkpoint_every=config["checkpoint_every"],
        val_every=test["val_every"],
        val_tasks=test["val_tasks"],
        test_every=test["test_every"],
        test_tasks=test["test_tasks"],
    )


def build_test(config: Config) -> MetaTest:
    """What the end of a run measures: each setting in its protocols."""
    test, ways = config["eval"], config["shots"]["ways"]
    protocols = PROTOCOLS if test["protocol"] == "both" else (test["protocol"],)
    settings = [
        Setting(
            EpisodeSpec(ways, s["shots"], test["queries"], s["steps"], s["batch_size"]),
            protocols,
            curve_steps(s["steps"]),
        )
        for s in test["settings"]
    ]
    return MetaTest(
        tuple(settings), test["seed"], test["tasks"], test["curve_tasks"], test["checkpoint"]
    )


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
