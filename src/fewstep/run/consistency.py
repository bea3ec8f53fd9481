"""Holding a run's parts against each other before it starts, for what no table of limits knows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import pytorch_lightning as pl

from fewstep.adapters.partition import check_partition
from fewstep.algorithms import Algorithm
from fewstep.config.names import check_name
from fewstep.core.objectives import Classification, Objective
from fewstep.core.types import EpisodeSpec, Split
from fewstep.messages.errors import ConfigError
from fewstep.run.learner import MetaLearner


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


def check_trainer(config: Config) -> None:
    """Lightning's own verdict on the accelerator, the devices and whatever else it is given.

    Raises:
        ConfigError: what Lightning refuses, or what fewstep sets itself.
    """
    for name, reason in OWN.items():
        if name in config:
            raise ConfigError(
                f"trainer.{name}={config[name]}: cannot be set, {reason}. Leave it out"
            )
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    try:
        pl.Trainer(**config, logger=False, enable_checkpointing=False)
    except Exception as error:  # Lightning has no common class for what it refuses
        text = " ".join(str(error).split())
        settings = ", ".join(f"trainer.{name}={value}" for name, value in config.items())
        raise ConfigError(f"{settings}: {text}. For example trainer=cpu") from None


def check_shots(config: Config, algorithm: Algorithm) -> None:
    """Hold what a training task has against what the algorithm asks for.

    Raises:
        ConfigError: minibatches larger than the support set, or queries that are missing.
    """
    shots, inner = config["shots"], algorithm.inner
    support = shots["ways"] * shots["train_shots"]
    if algorithm.replacement and (inner.batch_size or 0) > support:
        raise ConfigError(
            f"algorithm.inner.batch_size={inner.batch_size}: drawn without repeats, a minibatch "
            f"holds at most shots.ways * shots.train_shots = {support} examples. Lower it, or "
            "raise shots.train_shots"
        )
    if algorithm.needs_queries and shots["queries"] < 1:
        raise ConfigError(
            f"shots.queries={shots['queries']}: {config['algorithm']['name']} trains on queries, "
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
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_ways(objective: Objective, config: Config) -> None:
    """Refuse to tell one class from no other, at which every network is right.

    Raises:
        ConfigError: classification of fewer than two classes.
    """
    ways = config["shots"]["ways"]
    if isinstance(objective, Classification) and ways < 2:
        raise ConfigError(
            f"shots.ways={ways}: with one class every answer is right, and nothing is learned. "
            "Use shots.ways=2 or more"
        )


def check_logger(config: Config) -> None:
    """Refuse TensorBoard where it is not installed, or where it would write elsewhere.

    Raises:
        ConfigError: naming the command that installs it, or the key that leads elsewhere.
    """
    wanted = str(config.get("_target_", "")).endswith(".TensorBoardLogger")
    for name in ("name", "version", "sub_dir") if wanted else ():
        if config.get(name):
            check_name(f"logger.{name}", config[name], pieces=True)
    if wanted and not any(find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise ConfigError(
            "logger=tensorboard: TensorBoard is not installed. Use logger=csv, or install it with "
            "pip install 'fewstep[tensorboard]'"
        )


def to_train(splits: Mapping[str, Split], config: Config) -> Split:
    """The training split.

    Raises:
        ValueError: there is none.
    """
    if "train" not in splits:
        raise ValueError(
            f"dataset.split={config['dataset'].get('split')}: leaves no class to train on. It is "
            "for fewstep evaluate; leave it out here"
        )
    return splits["train"]


def check_splits(splits: Mapping[str, Split], specs: Sequence[EpisodeSpec], config: Config) -> None:
    """Refuse tasks that test or, where there is validation, val cannot fill.

    Raises:
        ValueError: naming the counts and the ways out.
    """
    for name in ("test",) if config["eval"]["val_every"] is None else ("test", "val"):
        for spec in specs if name in splits else ():
            try:
                splits[name].check(spec)
            except ValueError as error:
                if name == "test":
                    raise
                raise ValueError(f"{error}. {_without_val(config['dataset'])}") from None


def _without_val(dataset: Config) -> str:
    can_be_empty = dataset["_target_"].endswith(".ImageFolder") and not dataset["split_files"]
    more = ", or leave the split out with dataset.val=0" if can_be_empty else ""
    return f"Or switch validation off with eval.val_every=null{more}"
