"""Holding a run's parts against each other before it starts, for what no table of limits knows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pytorch_lightning as pl

from fewstep.adapters.partition import check_partition
from fewstep.config.names import check_name
from fewstep.core.objectives import Classification
from fewstep.core.types import Split
from fewstep.messages.errors import ConfigError
from fewstep.run.experiment import Experiment, Recipe, Source
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import quiet_lightning


Config = Mapping[str, Any]


MANUAL = "the meta-gradient is not Lightning's to change (manual optimization)"
OWN = {
    "strategy": "trainer.devices says how many share a meta-batch",
    "max_steps": "max_meta_iterations says how long to train",
    "max_epochs": "max_meta_iterations says how long to train",
    "limit_val_batches": "eval.val_every and eval.val_tasks say when and on what to validate",
    "logger": "the group logger= chooses it",
    "callbacks": "a run brings its own",
    "enable_checkpointing": "checkpoint_every says when a run is saved",
    "enable_progress_bar": "a run has a progress bar of its own",
    "enable_model_summary": "a run says of its model what it needs",
    "sync_batchnorm": "every task is normalized by itself",
    "inference_mode": "adapting to a test task needs gradients",
    "use_distributed_sampler": "the tasks of a run hang on its seed alone",
    "num_sanity_val_steps": "eval.val_every says when to validate",
    "plugins": "checkpoints are written by one of our own",
    "gradient_clip_val": MANUAL,
    "gradient_clip_algorithm": MANUAL,
    "accumulate_grad_batches": MANUAL,
}
"""Arguments of Lightning's trainer that are not the configuration's to give, and why."""


def check_trainer(options: Config) -> None:
    """Lightning's own verdict on the accelerator, the devices and whatever else it is given.

    Raises:
        ConfigError: what Lightning refuses, or what fewstep sets itself.
    """
    for name, reason in OWN.items():
        if name in options:
            raise ConfigError(
                f"trainer.{name}={options[name]}: cannot be set, {reason}. Leave it out"
            )
    quiet_lightning()
    try:
        pl.Trainer(**options, logger=False, enable_checkpointing=False)
    except Exception as error:  # Lightning has no common class for what it refuses
        text = " ".join(str(error).split())
        settings = ", ".join(f"trainer.{name}={value}" for name, value in options.items())
        raise ConfigError(f"{settings}: {text}. For example trainer=cpu") from None


def check_shots(recipe: Recipe) -> None:
    """Hold what a training task has against what the algorithm asks for.

    Raises:
        ConfigError: minibatches larger than the support set, or queries that are missing.
    """
    spec, algorithm = recipe.spec, recipe.algorithm
    support, batch = spec.ways * spec.shots, algorithm.inner.batch_size
    if algorithm.replacement and (batch or 0) > support:
        raise ConfigError(
            f"algorithm.inner.batch_size={batch}: drawn without repeats, a minibatch "
            f"holds at most shots.ways * shots.train_shots = {support} examples. Lower it, or "
            "raise shots.train_shots"
        )
    if algorithm.needs_queries and spec.queries < 1:
        raise ConfigError(
            f"shots.queries={spec.queries}: {recipe.name} trains on queries, "
            "at least 1 a class. For example shots.queries=1"
        )


def check_fixed(learner: MetaLearner) -> None:
    """Hold `algorithm.inner.fixed`, `reset` and `frozen` against the network's parameters.

    Raises:
        ConfigError: a pattern without a parameter, one in two lists, or nothing left to learn.
    """
    network = learner.net
    try:
        check_partition(learner.algorithm.inner, network.params(), network.frozen())
        learner.outer.groups(learner.moved())
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_ways(experiment: Experiment) -> None:
    """Refuse to tell one class from no other, at which every network is right.

    Raises:
        ConfigError: classification of fewer than two classes.
    """
    if isinstance(experiment.objective, Classification) and experiment.ways < 2:
        raise ConfigError(
            f"shots.ways={experiment.ways}: with one class every answer is right, and nothing is "
            "learned. Use shots.ways=2 or more"
        )


def check_logger(options: Config) -> None:
    """Refuse TensorBoard where it is not installed, or where it would write elsewhere.

    Raises:
        ConfigError: naming the command that installs it, or the key that leads elsewhere.
    """
    wanted = str(options.get("_target_", "")).endswith(".TensorBoardLogger")
    for name in ("name", "version", "sub_dir") if wanted else ():
        if options.get(name):
            check_name(f"logger.{name}", options[name], pieces=True)
    if wanted and not any(find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise ConfigError(
            "logger=tensorboard: TensorBoard is not installed. Use logger=csv, or install it with "
            "pip install 'fewstep[tensorboard]'"
        )


def to_train(splits: Mapping[str, Split], source: Source) -> Split:
    """The training split.

    Raises:
        ValueError: there is none.
    """
    if "train" not in splits:
        raise ValueError(
            f"dataset.split={source.split}: leaves no class to train on. It is for fewstep "
            "evaluate; leave it out here"
        )
    return splits["train"]


def check_splits(splits: Mapping[str, Split], experiment: Experiment) -> None:
    """Refuse tasks that test or, where there is validation, val cannot fill.

    Raises:
        ValueError: naming the counts and the ways out.
    """
    specs = [setting.spec for setting in experiment.test.settings]
    for name in ("test",) if experiment.schedule.val_every is None else ("test", "val"):
        for spec in specs if name in splits else ():
            try:
                splits[name].check(spec)
            except ValueError as error:
                if name == "test":
                    raise
                raise ValueError(f"{error}. {_without_val(experiment.source)}") from None


def _without_val(source: Source) -> str:
    can_be_empty = source.target.endswith(".ImageFolder") and not source.from_lists
    more = ", or leave the split out with dataset.val=0" if can_be_empty else ""
    return f"Or switch validation off with eval.val_every=null{more}"
