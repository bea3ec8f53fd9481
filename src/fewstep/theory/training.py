"""Real trainings of a study, which leave no run directory."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
import torch

from fewstep.config.compose import compose_config, plain
from fewstep.config.limits import check_training
from fewstep.run.construction.assembly import draft
from fewstep.run.episodes import TaskModule
from fewstep.run.experiment import Experiment
from fewstep.run.lightning import quiet_lightning, trainer_options


def drafted(words: Sequence[str]) -> Experiment:
    """The training that overrides make, checked; its data is not open.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    config = plain(compose_config("train", words))
    check_training(config)
    return draft(config)


def train(experiment: Experiment, tasks: TaskModule, callbacks: Sequence[pl.Callback] = ()) -> None:
    """Train to the end, and log nothing."""
    quiet_lightning()
    torch.set_rng_state(experiment.chance)
    trainer = pl.Trainer(
        **trainer_options(experiment.machine),
        max_steps=experiment.schedule.max_meta_iterations,
        max_epochs=-1,
        limit_val_batches=0,
        logger=False,
        callbacks=list(callbacks),
    )
    trainer.fit(experiment.learner, tasks)
