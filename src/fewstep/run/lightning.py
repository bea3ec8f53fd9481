"""What every Lightning trainer of ours is told, whatever the configuration chose."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.strategies import DDPStrategy

from fewstep.disk.files import replacing
from fewstep.processes import signals
from fewstep.run.experiment import Machine


IN_MEMORY = "in memory"
"""What a checkpoint is told that is not to be written yet."""


def quiet_lightning() -> None:
    """Lightning's advice is about loaders that read files; ours index a tensor."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*GPU available but not used.*",
        ".*`IterableDataset` has `__len__`.*",
        ".*module.* in eval mode at the start of training.*",  # a metric's, or a frozen part's
        ".*`srun` command is available.*",  # a cluster's front machine: ranks are started here
        "There is a performance drop because we have not yet",  # functorch, of some layers
    ):
        warnings.filterwarnings("ignore", text)


def trainer_options(machine: Machine) -> dict[str, Any]:
    """The keyword arguments of a `pl.Trainer`, for training and for testing."""
    return {
        **machine.trainer,
        "strategy": Ranks() if machine.ranks > 1 else "auto",
        "inference_mode": False,  # adapting needs gradients
        "use_distributed_sampler": False,
        "enable_checkpointing": False,  # `Checkpoints` does it
        "enable_progress_bar": False,  # `Progress` does it
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "plugins": [WholeCheckpoints()],
    }


def device_of(machine: Machine) -> torch.device:
    """Where Lightning will train; of several devices, the first."""
    trainer = pl.Trainer(**machine.trainer, logger=False, enable_checkpointing=False)
    return trainer.strategy.root_device


class Ranks(DDPStrategy):
    """Lightning's DDP without its wrapper, which waits for gradients that nobody takes here: the
    learner sums directions over the ranks itself."""

    def configure_ddp(self) -> None:
        """Nothing to wrap: every rank has made or read the same parameters."""

    def barrier(self, name: str | None = None) -> None:
        """Saving is rank zero's business: the others meet it again in the next sum."""
        if name != "Trainer.save_checkpoint":
            super().barrier(name)

    def on_train_start(self) -> None:
        """A signal stops rank zero, between two operations of Python, and nobody else."""
        if not self.is_global_zero:
            signals.ignore()

    on_test_start = on_validation_start = on_train_start


class WholeCheckpoints(TorchCheckpointIO):
    """A checkpoint is whole or it is not there; Lightning's own pass through the system's temporary
    folder, from which a move to another disk can be cut short."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: tuple[Path, io.BytesIO] | None = None

    @staticmethod
    def of(trainer: pl.Trainer) -> WholeCheckpoints:
        """What writes the checkpoints of a trainer of ours."""
        writer = trainer.strategy.checkpoint_io
        assert isinstance(writer, WholeCheckpoints), "made without `trainer_options`"
        return writer

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Written on the first rank alone; `IN_MEMORY`, only if it comes to `keep`.

        Raises:
            CannotWrite: naming the file; the checkpoint that was there is kept.
        """
        buffer = io.BytesIO()  # torch does not say why it could not write to a file
        torch.save(checkpoint, buffer)
        if storage_options == IN_MEMORY:
            self._kept = Path(path), buffer
        else:
            _write(Path(path), buffer)

    def keep(self) -> None:
        """Write what is in memory, if there is something.

        Raises:
            CannotWrite: naming the file; the checkpoint that was there is kept.
        """
        if self._kept:
            _write(*self._kept)

    def forget(self) -> None:
        """Nothing is in memory any more."""
        self._kept = None


def _write(path: Path, buffer: io.BytesIO) -> None:
    with replacing(path) as aside:
        aside.write_bytes(buffer.getbuffer())
