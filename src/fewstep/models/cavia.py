"""A network with a context that tasks adapt in place of its weights (Zintgraf et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ContextMLP(nn.Module):
    """1 -> hidden -> hidden -> 1 with ReLU, whose first layer sees a context beside x.

    `algorithm=cavia` starts the context at 0 in each task and moves nothing else there; the outer
    step learns the rest.
    """

    def __init__(self, context: int = 5, hidden: int = 40) -> None:
        super().__init__()
        for name, value in (("context", context), ("hidden", hidden)):
            if value < 1:
                raise ValueError(f"model.{name}={value}: must be at least 1")
        self.context = nn.Parameter(torch.zeros(context))
        self.layers = nn.Sequential(
            nn.Linear(1 + context, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Values [B, 1] at points [B, 1]."""
        return self.layers(torch.cat([x, self.context.expand(len(x), -1)], 1))
