"""A head without weights: a class is the mean of its support examples (Snell et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fewstep.core.class_means import class_means
from fewstep.models.layers import check_counts
from fewstep.models.layers import norm as make_norm


class Prototypes(nn.Module):
    """Logits are minus the squared distances of an embedding to the classes' means, times a scale
    that is learned."""

    takes = ("support_x", "support_y")
    any_ways = False
    """Whether each task has ways of its own, which are counted in its support set."""

    def __init__(self, encoder: nn.Module, ways: int) -> None:
        """`encoder`: from inputs [B, *x] to embeddings, of any shape."""
        super().__init__()
        check_counts(ways=ways)
        self.encoder, self.ways = encoder, ways
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, support_x: Tensor, support_y: Tensor) -> Tensor:
        """Logits [B, N]."""
        embedded, support = self.embed(x, support_x)
        ways = int(support_y.max()) + 1 if self.any_ways else self.ways
        means = class_means(support, support_y, ways)
        return -self.scale * (embedded[:, None] - means).square().sum(-1)

    def embed(self, x: Tensor, support_x: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [B, D] and [S, D] of inputs and support examples."""
        return self.encoder(x).flatten(1), self.encoder(support_x).flatten(1)


class ProtoNet(Prototypes):
    """The network of Snell et al. 2017 below prototypes: four times {3x3 convolution -> batch norm
    -> ReLU -> 2x2 max pool}; of 28 pixels 64 features."""

    def __init__(
        self,
        ways: int,
        in_channels: int = 1,
        size: int = 28,
        channels: int = 64,
        norm: str = "batch",
    ) -> None:
        """`size` is the height and width of the images in pixels, `norm` is `batch` or `group`."""
        check_counts(ways=ways, in_channels=in_channels, size=size, channels=channels)
        if size < 16:
            raise ValueError(f"model.size={size}: four pools leave nothing of it. Use 16 or more")
        blocks: list[nn.Module] = []
        for _ in range(4):
            # A bias before a batch norm does nothing.
            blocks += [nn.Conv2d(in_channels, channels, 3, padding=1, bias=norm != "batch")]
            # PyTorch's batch norm, whose epsilon is not TensorFlow's.
            own = nn.BatchNorm2d(channels) if norm == "batch" else make_norm(channels, norm)
            blocks += [own, nn.ReLU(), nn.MaxPool2d(2)]
            in_channels = channels
        super().__init__(nn.Sequential(*blocks), ways)
