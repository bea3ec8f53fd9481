"""Trying a run's parts on each other before it starts, for what no table of limits can know."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from fewstep.checkpoint_contents import ANOTHER, stopwatch
from fewstep.checks import ConfigError
from fewstep.learner import MetaLearner
from fewstep.names import check_name
from fewstep.printable import printable
from fewstep.types import EpisodeSpec, Split


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


def check_fixed(learner: MetaLearner) -> None:
    """Hold `algorithm.inner.fixed` against the names of the network's parameters.

    Raises:
        ConfigError: a pattern without a parameter, or nothing left to adapt.
    """
    inner, names = learner.algorithm.inner, list(learner.net.params())
    given = f"algorithm.inner.fixed=[{','.join(inner.fixed)}]"
    for pattern in inner.fixed:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"{given}: no parameter of the model is called {pattern}. They are "
                f"{', '.join(names)}"
            )
    if not any(map(inner.adapts, names)):
        raise ConfigError(f"{given}: leaves nothing for a task to learn. Fix fewer of them")


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


def check_splits(
    splits: Mapping[str, Split], specs: Sequence[EpisodeSpec], config: Config, also: str
) -> None:
    """Refuse tasks that test, `also` or, where there is validation, val cannot fill.

    Raises:
        ValueError: naming the counts and the ways out.
    """
    needed = dict.fromkeys(("test", also))
    optional = {} if config["eval"]["val_every"] is None else {"val": None}
    for name in {**needed, **optional}:
        for spec in specs if name in splits else ():
            try:
                splits[name].check(spec)
            except ValueError as error:
                if name in needed:
                    raise
                raise ValueError(f"{error}. {_without_val(config['dataset'])}") from None


def _without_val(dataset: Config) -> str:
    can_be_empty = dataset["_target_"].endswith(".ImageFolder") and not dataset["split_files"]
    more = ", or leave the split out with dataset.val=0" if can_be_empty else ""
    return f"Or switch validation off with eval.val_every=null{more}"


def check_fit(learner: MetaLearner, split: Split, spec: EpisodeSpec, config: Config) -> None:
    """One forward pass and one loss: the network takes the data and answers as the task asks.

    Raises:
        ConfigError: it does not.
    """
    dtype = next(learner.parameters()).dtype
    short = replace(spec, steps=1)  # the minibatches of very many inner steps may not fit
    episode = split.to("cpu", dtype).episode(short, config["seed"], 0)
    try:
        with torch.no_grad():
            outputs = learner.module(episode.support_x)
            learner.task.inner_loss(outputs, episode.support_y)
    except Exception as error:  # whatever somebody's network raises
        shape = "x".join(str(n) for n in episode.support_x.shape[1:])
        raise ConfigError(
            f"model={config['model']['_target_']}: does not fit dataset={config['dataset']['name']}"
            f" with inputs of {shape} and shots.ways={config['shots']['ways']} ({error}). Choose "
            "another model, or correct its sizes"
        ) from None


def check_resumable(learner: MetaLearner, content: Config, path: Path) -> None:
    """Try whether optimizer, schedule and loop can go on from what a checkpoint has of them.

    Raises:
        ConfigError: what of it cannot be restored.
    """
    stopwatch(content, path, "resume")
    loops = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False).fit_loop
    steps = {
        "global_step": lambda: range(content["global_step"]),
        "callbacks": lambda: [dict(content["callbacks"][n]) for n in ("Stopwatch", "Checkpoints")],
        "epoch": lambda: range(content["epoch"]),
        "loops": lambda: loops.load_state_dict(copy.deepcopy(content["loops"]["fit_loop"])),
        "optimizer_states": lambda: _only(learner.configure_optimizers()[0]).load_state_dict(
            copy.deepcopy(_only(content["optimizer_states"]))
        ),
        "lr_schedulers": lambda: _only(learner.configure_optimizers()[1]).load_state_dict(
            dict(_only(content["lr_schedulers"]))
        ),
    }
    for name, restore in steps.items():
        try:
            restore()
        except Exception as error:  # whatever Lightning and torch raise over what is not theirs
            reason = printable(error)[:200]
            raise ConfigError(
                f"resume={path}: {name} cannot be restored ({type(error).__name__}: {reason}). "
                f"{ANOTHER}"
            ) from None


def _only(items: Any) -> Any:
    (one,) = items
    return one
