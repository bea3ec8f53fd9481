"""How many processes a run has, and who starts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
