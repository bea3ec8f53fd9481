"""From a checked configuration to objects: the only place that instantiates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import PROTOCOLS, Setting, curve_steps
from fewstep.algorithms import Algorithm
from fewstep.config.instantiate import call, locate, make
from fewstep.config.limits import check_training
from fewstep.core.contents import check_contents
from fewstep.core.rules import RULES
from fewstep.core.types import EpisodeSpec, Split
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.run.consistency import check_logger, check_shots, check_splits, check_trainer, to_train
from fewstep.run.episodes import TaskModule
from fewstep.run.learner import MetaLearner
from fewstep.run.outer import build_outer
from fewstep.run.sizes import with_sizes


Config = Mapping[str, Any]

RECIPE = {"name", "outer", "meta_batch", "train_shots", "queries", "eval"}
"""Keys of an algorithm's YAML that are its recipe and not arguments of its class."""

FACTS = frozenset({"name", "channels", "size"})  # of a dataset's YAML, for the model to read


def check(config: Config) -> None:
    """Hold the whole configuration of a training against its limits.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check_training(config)
    algorithm = build_algorithm(config["algorithm"])
    build_outer(config["algorithm"]["outer"])
    build_model(config["model"])
    if joint := config["baselines"]["joint"]:
        build_algorithm({**joint, "inner": config["algorithm"]["inner"]}, "baselines.joint")
        build_outer(joint["outer"], "baselines.joint")
    check_trainer(config["trainer"])
    check_logger(config["logger"])
    check_shots(config, algorithm)


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
    model = with_sizes(lambda: make("model", config), config)
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


def open_splits(dataset: Any, config: Config) -> Mapping[str, Split]:
    """The dataset's splits, train, test and val if it is used, checked against their tasks.

    Raises:
        ConfigError: data that is missing or damaged, or a task that a split cannot fill.
    """
    try:
        splits = dataset.open()
        to_train(splits, config).check(train_spec(config))
        check_splits(splits, [setting.spec for setting in build_settings(config)], config)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    if config["eval"]["checkpoint"] == "best" and "val" not in splits:
        raise ConfigError(
            f"eval.checkpoint=best: {dataset.name} has no validation split here to pick it by. "
            "Use eval.checkpoint=last, or a split that has one (for omniglot "
            "dataset.split=with_val)"
        )
    return splits


def train_spec(config: Config) -> EpisodeSpec:
    """What a training episode holds."""
    algorithm, shots = build_algorithm(config["algorithm"]), config["shots"]
    return EpisodeSpec(
        shots["ways"],
        shots["train_shots"],
        shots["queries"] if algorithm.needs_queries else 0,
        algorithm.batches,
        algorithm.inner.batch_size,
        algorithm.replacement,
    )


def build_settings(config: Config) -> list[Setting]:
    """The settings to test in; validation uses the first, and its first protocol."""
    test, ways = config["eval"], config["shots"]["ways"]
    protocols = PROTOCOLS if test["protocol"] == "both" else (test["protocol"],)
    return [
        Setting(
            EpisodeSpec(ways, s["shots"], test["queries"], s["steps"], s["batch_size"]),
            protocols,
            curve_steps(s["steps"]),
        )
        for s in test["settings"]
    ]


def build_tasks(config: Config, splits: Mapping[str, Split]) -> TaskModule:
    """The tasks of a run, for Lightning."""
    test = config["eval"]
    return TaskModule(
        splits,
        train_spec(config),
        config["meta_batch"],
        config["seed"],
        build_settings(config),
        eval_seed=test["seed"],
        tasks=test["tasks"],
        curve_tasks=test["curve_tasks"],
    )


def build_learner(config: Config, objective: Any) -> MetaLearner:
    """The learner, its network initialized from the run's seed."""
    torch.manual_seed(config["seed"])
    model = build_model(config["model"])
    double = str(config["trainer"]["precision"]) == "64"  # before a checkpoint is read into it
    learner = MetaLearner(
        model.double() if double else model,
        build_algorithm(config["algorithm"]),
        objective,
        build_outer(config["algorithm"]["outer"]),
        max_meta_iterations=config["max_meta_iterations"],
        meta_batch=config["meta_batch"],
        execution=config["execution"],
        log_every=config["log_every"],
    )
    learner.config = dict(config)
    return learner
