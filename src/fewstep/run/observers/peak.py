"""How much memory a training takes, which a comparison shows beside its speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from fewstep.config import room


WATCHED = 20
"""Meta-iterations after which it is known; whatever is measured later does not count."""


class Peak(pl.Callback):
    """The most bytes that the first meta-iterations of a training held, beyond what was held before
    them: of the process, or on a GPU of its tensors there.

    Comes before the callbacks that measure or save.
    """

    @classmethod
    def of(cls, trainer: Any) -> int | None:
        """What the training of a trainer took; None where it was not watched."""
        own = (callback for callback in trainer.callbacks if isinstance(callback, cls))
        return next((callback.bytes for callback in own), None)

    def __init__(self) -> None:
        self.bytes: int | None = None
        """None where no system says."""
        self._before, self._left = 0, WATCHED

    def on_train_start(self, trainer: pl.Trainer, learner: pl.LightningModule) -> None:
        if learner.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(learner.device)
            self._before = torch.cuda.memory_allocated(learner.device)
        elif Path("/proc/self/clear_refs").exists():
            self._before = room.resident(trim=True)
            room.forget_most()
        else:
            self._left = 0

    def on_train_batch_end(self, trainer: pl.Trainer, learner: pl.LightningModule, *_: Any) -> None:
        if not self._left:
            return
        self._left -= 1
        gpu = learner.device.type == "cuda"
        most = torch.cuda.max_memory_allocated(learner.device) if gpu else room.most_resident()
        self.bytes = max(0, most - self._before, self.bytes or 0)

    def state_dict(self) -> dict[str, Any]:
        return {"bytes": self.bytes, "left": self._left}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        most = state["bytes"]
        self.bytes, self._left = None if most is None else int(most), int(state["left"])
