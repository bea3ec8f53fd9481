"""A head without weights: a class is the mean of its support examples (Snell et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fewstep.core.class_means import class_means


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
        means = class_means(support, support_y, self.ways)
        return -self.scale * (embedded[:, None] - means).square().sum(-1)
