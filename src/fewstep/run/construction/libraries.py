"""What a configuration may ask of Lightning's trainer and of a logger."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pytorch_lightning as pl

from fewstep.config.instantiate import check_kinds
from fewstep.config.names import check_name
from fewstep.loggers.dashboard import Dashboard
from fewstep.messages.errors import ConfigError
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


def check_logger(options: Config) -> None:
    """Refuse what W&B would be told by mistake, and TensorBoard where it is not installed, or where
    it would write elsewhere.

    Raises:
        ConfigError: naming the command that installs it, or the key and what it must be.
    """
    if str(options.get("_target_", "")).endswith(".Dashboard"):
        own = {name: value for name, value in options.items() if name != "_target_"}
        check_kinds(Dashboard, "logger", own)
    wanted = str(options.get("_target_", "")).endswith(".TensorBoardLogger")
    for name in ("name", "version", "sub_dir") if wanted else ():
        if options.get(name):
            check_name(f"logger.{name}", options[name], pieces=True)
    if wanted and not any(find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise ConfigError(
            "logger=tensorboard: TensorBoard is not installed. Use logger=csv, or install it with "
            "pip install 'fewstep[tensorboard]'"
        )
