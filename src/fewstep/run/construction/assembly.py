"""From a checked configuration to an experiment: every part is built once, and held to the others.

What trains and tests is given these parts, and asks no configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.config.limits import check_training
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.consistency import (
    JOINT,
    check_fixed,
    check_joint,
    check_learned,
    check_oracle,
    check_rule,
    check_shots,
    check_takes,
    check_ways,
)
from fewstep.run.checks.dataset_contract import check_tasks, check_test, open_splits
from fewstep.run.checks.splits import check_splits, check_train
from fewstep.run.checks.steps import check_steps
from fewstep.run.checks.ways import check_any_ways, check_varied, execution_for, prepare
from fewstep.run.construction import build, parts
from fewstep.run.construction.libraries import check_logger, check_trainer
from fewstep.run.construction.recipes import joint_node, recipe_of
from fewstep.run.construction.source import Labels
from fewstep.run.experiment import Experiment, Recipe
from fewstep.run.learner import MetaLearner
from fewstep.run.stored import checkpoint, starting
from fewstep.run.stored.origin import resumed
from fewstep.run.testing.given_tasks import given


Config = Mapping[str, Any]


def check(config: Config) -> None:
    """Hold the whole configuration of a training against its limits; opens no file.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check_training(config)
    _tried(config)
    parts.pictures_of(config)


def draft(config: Config) -> Experiment:
    """What a checked configuration says, its parts held to each other; no data is opened yet.

    Raises:
        ConfigError: as `check` does, or a checkpoint to resume from that is not there.
    """
    recipe, model, joint, chance = _tried(config)
    dataset, resume = parts.dataset_of(config), config["resume"]
    made: dict[str, Any] = {
        "labels": Labels(config["name"], config["label"], config["point"]),
        "seed": config["seed"],
        "source": build.build_source(config),
        "dataset": dataset,
        "splits": {},
        "model": config["model"]["_target_"],
        "ways": config["shots"]["ways"],
        "chance": chance,
        "recipe": recipe,
        "schedule": build.build_schedule(config),
        "test": build.build_test(config),
        "machine": build.build_machine(config),
        "logger": config["logger"],
        "random": config["baselines"]["random"],
        "start": config["baselines"].get("start", False),  # of before there was one
        "oracle": config["baselines"].get("oracle", False),
        "pictures": parts.pictures_of(config),
        "joint": joint,
        "init": starting.for_run(config),
        "resume": checkpoint.find(resume, "resume") if resume else None,
        "other_data": config["other_data"],
        "config": config,
        "new_model": partial(_new_model, config),
    }
    if made["oracle"]:
        check_oracle(dataset, config["dataset"].get("name"))
    learner = learner_of(model, recipe, dataset.objective, made)
    check_learned(learner)
    return begun(Experiment(**made, learner=learner))


def begun(experiment: Experiment) -> Experiment:
    """With the weights that it is to start from in its learner.

    Raises:
        ConfigError: naming those that do not fit.
    """
    if experiment.init:
        experiment.init.give(experiment.learner.module, experiment.model)
    return experiment


def assemble(config: Config) -> Experiment:
    """What a checked configuration says, with its data open: of a run that goes on, the data and
    classes that it began with.

    Raises:
        ConfigError: as `draft` does, or data that is missing, damaged or not enough.
    """
    return with_data(draft(config))


def with_data(experiment: Experiment, trains: bool = True) -> Experiment:
    """With its data open: the classes that it is to train on, and the tasks that it is to test on.

    Raises:
        ConfigError: as `opened`, `resumed` and `given` do.
    """
    experiment = opened(experiment, trains)
    return given(replace(experiment, splits=resumed(experiment)))


def opened(experiment: Experiment, trains: bool = True) -> Experiment:
    """With the dataset's splits, train, test and val if it is used, checked against their tasks
    where it trains; what else draws of them holds its own against them.

    Raises:
        ConfigError: data that is missing or damaged, or a task that a split cannot fill.
    """
    check_ways(experiment)
    check_any_ways(experiment)
    try:
        splits = open_splits(experiment.dataset, experiment.source.key)
        check_test(splits, experiment.source.key)
        check_tasks(experiment)
        for hold in (check_varied, check_train, check_splits) if trains else (check_varied,):
            hold(splits, experiment)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    if experiment.test.checkpoint == "best" and "val" not in splits:
        raise ConfigError(
            f"eval.checkpoint=best: {experiment.source.name} has no validation split here to pick "
            "it by. Use eval.checkpoint=last, or a split that has one (for omniglot "
            "dataset.split=with_val)"
        )
    check_fixed(experiment.learner, experiment.joint)
    return replace(experiment, splits=splits)


def _tried(config: Config) -> tuple[Recipe, nn.Module, Recipe | None, Tensor]:
    """The parts that need no data: recipe, network, joint recipe, the state of random numbers."""
    recipe = recipe_of(config["algorithm"], config["shots"])
    model, chance = _new_model(config), torch.get_rng_state()
    node = joint_node(config)
    joint = recipe_of(node, config["shots"], JOINT) if node else None
    if joint:
        check_joint(recipe, joint)
    check_trainer(config["trainer"])
    check_logger(config["logger"])
    check_shots(recipe)
    check_steps(recipe, config["eval"]["settings"])
    check_takes(recipe, model)
    check_rule(recipe, model)
    return recipe, model, joint, chance


def _new_model(config: Config) -> nn.Module:
    """The network in the state that the run's seed gives it."""
    torch.manual_seed(config["seed"])
    model = parts.model_of(config)
    double = str(config["trainer"]["precision"]) == "64"  # before a checkpoint is read into it
    return model.double() if double else model


def learner_of(
    model: nn.Module, recipe: Recipe, objective: Any, made: Mapping[str, Any]
) -> MetaLearner:
    """A learner of a network, as what else is made of the configuration says."""
    schedule, test = made["schedule"], made["test"]
    specs = recipe.spec, *(setting.spec for setting in test.settings)
    prepare(model, specs, made["ways"])
    learner = MetaLearner(
        model,
        recipe.algorithm,
        objective,
        recipe.outer,
        max_meta_iterations=schedule.max_meta_iterations,
        meta_batch=schedule.meta_batch,
        execution=execution_for(specs, made["ways"], made["machine"]),
        log_every=schedule.log_every,
    )
    learner.config = dict(made["config"])
    return learner
