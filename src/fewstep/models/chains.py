"""Many linear models side by side: the chains of a sampler."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearChains(nn.Module):
    """y = x . w for each chain: points [B, d] to values [B, chains]."""

    def __init__(self, d: int = 2, chains: int = 16) -> None:
        super().__init__()
        for name, value in (("d", d), ("chains", chains)):
            if value < 1:
                raise ValueError(
                    f"model.{name}={value}: must be at least 1. For example model.{name}=2"
                )
        self.weight = nn.Parameter(torch.zeros(chains, d))

    def forward(self, x: Tensor) -> Tensor:
        """Values [B, chains] at points [B, d]."""
        return x @ self.weight.T
