"""What every Lightning trainer of ours is told, whatever the configuration chose."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any


Config = Mapping[str, Any]


def quiet_lightning() -> None:
    """Lightning's advice is about loaders that read files; ours index a tensor."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*GPU available but not used.*",
        ".*`IterableDataset` has `__len__`.*",
    ):
        warnings.filterwarnings("ignore", text)


def trainer_options(config: Config) -> dict[str, Any]:
    """The keyword arguments of a `pl.Trainer`, for training and for testing."""
    return {
        **config["trainer"],
        "inference_mode": False,  # adapting needs gradients
        "use_distributed_sampler": False,
        "enable_checkpointing": False,  # `Checkpoints` does it
        "enable_progress_bar": False,  # `Progress` does it
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
