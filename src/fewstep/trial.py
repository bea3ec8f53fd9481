"""Trying a run's parts on each other before it starts, for what no table of limits can know."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from fewstep.checks import ConfigError
from fewstep.learner import MetaLearner
from fewstep.types import EpisodeSpec, Split


Config = Mapping[str, Any]


def check_trainer(config: Config) -> None:
    """Lightning's own verdict on the accelerator, the devices and whatever else it is given."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    try:
        pl.Trainer(**config, logger=False, enable_checkpointing=False)
    except Exception as error:  # Lightning has no common class for what it refuses
        text = " ".join(str(error).split())
        settings = ", ".join(f"trainer.{name}={value}" for name, value in config.items())
        raise ConfigError(f"{settings}: {text}. For example trainer=cpu") from None


def check_fit(learner: MetaLearner, split: Split, spec: EpisodeSpec, config: Config) -> None:
    """One forward pass and one loss: the network takes the data and answers as the task asks.

    Raises:
        ConfigError: it does not.
    """
    dtype = next(learner.parameters()).dtype
    episode = split.to("cpu", dtype).episode(spec, config["seed"], 0)
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
