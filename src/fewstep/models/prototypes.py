"""A head without weights: a class is the mean of its support examples (Snell et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Prototypes(nn.Module):
    """Logits are minus the squared distances of an embedding to the classes' means, times a scale
    that is learned."""

    takes = ("support_x", "support_y")

    def __init__(self, encoder: nn.Module, ways: int) -> None:
        """`encoder`: from inputs [B, *x] to embeddings, of any shape."""
        super().__init__()
        self.encoder, self.ways = encoder, ways
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, support_x: Tensor, support_y: Tensor) -> Tensor:
        """Logits [B, N]."""
        embedded, support = self.encoder(x).flatten(1), self.encoder(support_x).flatten(1)
        classes = torch.arange(self.ways, device=x.device)
        members = (support_y[:, None] == classes).to(support.dtype)  # [S, N]
        means = (members.T @ support) / members.sum(0)[:, None]
        return -self.scale * (embedded[:, None] - means).square().sum(-1)
