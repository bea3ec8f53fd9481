"""Whether a training can go on from what a checkpoint has of its machinery."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.migration import migrate_checkpoint

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.metrics import read_history
from fewstep.run.learner import MetaLearner
from fewstep.run.observers.peak import Peak
from fewstep.run.stored.checkpoint_contents import ANOTHER
from fewstep.run.stored.spent import stopwatch


Config = Mapping[str, Any]

VERSION = "pytorch-lightning_version"
"""The entry by which Lightning brings a checkpoint of an older version up to its own."""


def check_resumable(learner: MetaLearner, content: Config, path: Path) -> None:
    """Try whether optimizer, schedule and loop can go on from what a checkpoint has of them.

    Raises:
        ConfigError: what of it cannot be restored.
    """
    stopwatch(content, path, "resume")
    loops = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False).fit_loop
    steps = {
        "global_step": lambda: range(content["global_step"]),
        "callbacks": lambda: (
            dict(content["callbacks"]["Stopwatch"]),
            dict(content["callbacks"].get("Checkpoints", {})),  # nothing before a validation
            Peak().load_state_dict(content["callbacks"].get("Peak") or Peak().state_dict()),
        ),
        "epoch": lambda: range(content["epoch"]),
        "loops": lambda: loops.load_state_dict(copy.deepcopy(content["loops"]["fit_loop"])),
        "optimizer_states": lambda: _only(learner.configure_optimizers()[0]).load_state_dict(
            copy.deepcopy(_only(content["optimizer_states"]))
        ),
        "lr_schedulers": lambda: _only(learner.configure_optimizers()[1]).load_state_dict(
            dict(_only(content["lr_schedulers"]))
        ),
    }
    # Last, for to an old version Lightning makes anew what the others would have named.
    steps[VERSION] = lambda: migrate_checkpoint(copy.deepcopy({**content, "state_dict": {}}))
    for name, restore in steps.items():
        try:
            restore()
        except Exception as error:  # whatever Lightning and torch raise over what is not theirs
            reason = printable(error)[:200]
            raise ConfigError(
                f"resume={path}: {name} cannot be restored ({type(error).__name__}: {reason}). "
                f"{ANOTHER}"
            ) from None


def check_history(path: Path) -> None:
    """Refuse a run directory in which going on from a checkpoint would write over a metrics.csv
    that cannot be read.

    Raises:
        ConfigError: naming the file.
    """
    file = path.resolve().parent.with_name("metrics.csv")
    if path.resolve().parent.name == "checkpoints" and file.exists():
        read_history(file, f"resume={path}")


def _only(items: Any) -> Any:
    (one,) = items
    return one
