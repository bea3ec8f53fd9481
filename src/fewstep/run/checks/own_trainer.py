"""What a Lightning trainer of a user's own must leave to the learner."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch.optim.lr_scheduler import LambdaLR

from fewstep.core.memory import slots_of
from fewstep.core.net import Net
from fewstep.execution.collectives import local_share, place
from fewstep.messages.errors import ConfigError


def check_trainer(trainer: pl.Trainer) -> None:
    """Refuse a trainer under which tasks would be learned wrongly, or not at all.

    Raises:
        ConfigError: mixed precision, inference mode, or a learner that is compiled as a whole.
    """
    if getattr(trainer.lightning_module, "_compiler_ctx", None):
        raise ConfigError(
            "torch.compile: a learner is no function of tensors, and `execution` makes programs of "
            "its inner loop. Give the trainer the learner itself"
        )
    precision = str(trainer.precision)
    if "mixed" in precision:
        raise ConfigError(
            f"trainer.precision={precision}: mixed precision is one thread's and scales one loss, "
            "and tasks are learned in several threads with a loss a step. Use precision=32"
        )
    if torch.is_inference_mode_enabled():
        raise ConfigError(
            "trainer.inference_mode=True: a task is learned by gradients, at meta-test too, and "
            "inference mode has none. Use Trainer(inference_mode=False)"
        )


def check_network(net: Net) -> None:
    """Refuse a network of which other parameters ask for gradients than its learner was made for.

    Raises:
        ConfigError: naming one that would never move; or all are frozen.
    """
    known = net.parameters()
    for name in slots_of(net.module):
        if name not in known:
            raise ConfigError(
                f"{name}: was given requires_grad=True after the learner was made, which would "
                "never move it. Make the learner afterwards"
            )
    if known and not any(p.requires_grad for p in known.values()):
        raise ConfigError(
            f"{next(iter(known))} and all others are frozen, as by learner.freeze(), and a task is "
            "learned by them. Give those that learn requires_grad=True"
        )


def check_meta_batch(tasks: int, meta_batch: int) -> None:
    """Refuse another number of tasks than the learner takes the mean of.

    Raises:
        ConfigError: naming both numbers; or fewer tasks than processes.
    """
    _check_ranks("meta_batch", meta_batch, "needs a task")
    share = len(local_share(range(meta_batch)))
    if tasks != share:
        raise ConfigError(
            f"meta_batch={meta_batch}: the data hand this process {tasks} tasks a meta-iteration, "
            f"and {share} are its share of that many. Give the learner and its data one meta_batch"
        )


def check_tested(tasks: int) -> None:
    """Refuse fewer tasks than processes: the others would wait for one that has nothing to test.

    Raises:
        ConfigError: naming both numbers.
    """
    _check_ranks("tasks", tasks, "tests at least one task")


def _check_ranks(key: str, tasks: int, does: str) -> None:
    if tasks < (ranks := place()[1]):
        raise ConfigError(
            f"{key}={tasks}: there are {ranks} processes, and each {does}. Give "
            f"{key}={ranks} or more, or fewer devices"
        )


def check_schedule(schedule: Any) -> LambdaLR:
    """The learner's own schedule, which a callback may have replaced.

    Raises:
        ConfigError: naming what is in its place.
    """
    if isinstance(schedule, LambdaLR):
        return schedule
    raise ConfigError(
        f"trainer.callbacks: one has put {type(schedule).__name__} in the place of the schedule "
        "of the outer step. Leave it out; OuterStep(average=0.99) tests an average of the weights"
    )
