"""What every Lightning trainer of ours is told, whatever the configuration chose."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from fewstep.files import replacing


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
        "plugins": [WholeCheckpoints()],
    }


class WholeCheckpoints(TorchCheckpointIO):
    """A checkpoint is whole or it is not there; Lightning's own pass through the system's temporary
    folder, from which a move to another disk can be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, *_: Any, **__: Any) -> None:
        """Written on the first rank alone.

        Raises:
            CannotWrite: naming the file; the checkpoint that was there is kept.
        """
        buffer = io.BytesIO()  # torch does not say why it could not write to a file
        torch.save(checkpoint, buffer)
        with replacing(Path(path)) as aside:
            aside.write_bytes(buffer.getbuffer())
