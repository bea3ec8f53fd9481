"""The outer step: which optimizer takes it, and how its learning rate falls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class OuterStep:
    """The outer optimizer and how its learning rate falls.

    The paper: plain SGD, eps falling linearly from 1 to 0, which with Reptile's direction is
    `phi <- phi + eps (mean phi~ - phi)`.
    """

    optimizer: type[torch.optim.Optimizer]
    lr: float
    final_lr: float | None = None
    """What the rate would reach at `max_meta_iterations`; None keeps it constant."""
    options: dict[str, Any] = field(default_factory=dict)

    def scale(self, meta_iteration: int, of: int) -> float:
        """`eps_i / eps_0` with `eps_i = (i/T) final + (1 - i/T) initial` (train.py:54-55)."""
        if self.final_lr is None:
            return 1.0
        done = min(meta_iteration / of, 1.0)
        return done * self.final_lr / self.lr + (1.0 - done)
