"""How many processes a run has, and who starts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fewstep.messages.errors import ConfigError


@dataclass(frozen=True)
class Outside:
    """This process's place among ranks that something else has started."""

    starter: str
    ranks: int
    rank: int


def outside() -> Outside | None:
    """What torchrun or srun says of this process; None where neither has started several."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        return Outside("torchrun", int(env["WORLD_SIZE"]), int(env["RANK"]))
    if int(env.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        return Outside("srun", int(env["SLURM_STEP_NUM_TASKS"]), int(env["SLURM_PROCID"]))
    return None


def count(trainer: Mapping[str, Any]) -> int:
    """The ranks of a run, on all machines."""
    return trainer["devices"] * trainer["num_nodes"]


def check_ranks(config: Mapping[str, Any]) -> None:
    """A rank for each device: started by someone, and with something to test."""
    trainer, others = config["trainer"], outside()
    ranks, devices = count(trainer), f"trainer.devices={trainer['devices']}"
    if others and others.ranks != ranks:
        raise ConfigError(
            f"{devices}: with trainer.num_nodes={trainer['num_nodes']} that makes {ranks} "
            f"processes, but {others.starter} has started {others.ranks}. Their product must be "
            f"{others.ranks}, for example trainer.devices={others.ranks} trainer.num_nodes=1"
        )
    if trainer["num_nodes"] > 1 and not others:
        raise ConfigError(
            f"trainer.num_nodes={trainer['num_nodes']}: fewstep starts the processes of one "
            "machine only. Start those of several with torchrun or srun, or use "
            "trainer.num_nodes=1"
        )
    if config["eval"]["tasks"] < ranks:
        raise ConfigError(
            f"eval.tasks={config['eval']['tasks']}: {devices} makes {ranks} processes, and each "
            f"tests at least one task. Use eval.tasks={ranks} or more, or fewer devices"
        )


def check_list(key: str, tasks: int, trainer: Mapping[str, Any]) -> None:
    """Refuse a list of fewer tasks than processes; `key` says which list it is.

    Raises:
        ConfigError: naming both.
    """
    if tasks < (ranks := count(trainer)):
        raise ConfigError(
            f"{key}: has {tasks} tasks, and trainer.devices={trainer['devices']} makes {ranks} "
            f"processes, each of which tests at least one. Give a list of {ranks} tasks or more, "
            "or fewer devices, for example trainer.devices=1"
        )


def check_sharing(config: Mapping[str, Any]) -> None:
    """Refuse a meta-batch that the devices cannot share.

    Raises:
        ConfigError: fewer tasks than devices, or tasks that have to follow each other.
    """
    ranks = count(config["trainer"])
    devices = f"trainer.devices={config['trainer']['devices']}"
    if config["meta_batch"] < ranks:
        raise ConfigError(
            f"{devices}: that makes {ranks} processes for meta_batch={config['meta_batch']} "
            f"tasks, and some would have none. Use meta_batch={ranks} or more, or fewer devices"
        )
    if ranks > 1 and config["algorithm"]["inner"].get("state") == "sequential":
        raise ConfigError(
            f"algorithm.inner.state=sequential: runs one task after another, which {devices} "
            "cannot share. Use trainer.devices=1, or algorithm.inner.state=carry"
        )
