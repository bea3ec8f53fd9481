"""The paper's networks, as the authors' code has them (models.py).

What differs from a first guess at "the same CNN as Finn et al." is listed where it happens; a
pair of implementations that differ in one of these do not give the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fewstep.models.layers import SameConv2d, check_counts, glorot
from fewstep.models.layers import norm as make_norm


class OmniglotConv(nn.Module):
    """Four times {3x3 convolution, stride 2, SAME -> batch norm -> ReLU}, then a linear head.

    28 -> 14 -> 7 -> 4 -> 2: 256 features and 113,221 parameters at 5 ways (models.py:17-30).
    """

    def __init__(
        self,
        ways: int,
        in_channels: int = 1,
        size: int = 28,
        channels: int = 64,
        norm: str = "batch",
    ) -> None:
        """`size` is the height and width of the images in pixels, `norm` is `batch` or `group`."""
        super().__init__()
        check_counts(ways=ways, in_channels=in_channels, size=size, channels=channels)
        blocks = []
        for _ in range(4):
            blocks += [SameConv2d(in_channels, channels, stride=2, normalized=norm == "batch")]
            blocks += [make_norm(channels, norm), nn.ReLU()]
            in_channels, size = channels, -(-size // 2)
        self.features = nn.Sequential(*blocks)
        self.head = glorot(nn.Linear(channels * size * size, ways))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, C, H, W]."""
        return self.head(self.features(x).flatten(1))


class MAMLOmniglotConv(OmniglotConv):
    """The network of Finn et al. 2017 (cbfinn/maml: maml.py:185-225, utils.py:26-41).

    Its batch norm has an offset and no scale, and the head gets the mean over the last pixels, 64
    features, by weights from N(0, 1). Their inner learning rates of 0.1 and 0.4 belong to it: on
    256 features, each some ten times as much, a step of that size is too long for FOMAML.
    """

    def __init__(self, ways: int, in_channels: int = 1, size: int = 28, channels: int = 64) -> None:
        """`size` is the height and width of the images in pixels."""
        super().__init__(ways, in_channels, size, channels)
        for layer in self.features:
            if isinstance(layer, nn.BatchNorm2d):
                del layer.weight
                # Ones that nobody trains: without any, PyTorch cannot differentiate it twice.
                layer.register_buffer("weight", torch.ones(channels), persistent=False)
        self.head = glorot(nn.Linear(channels, ways))
        nn.init.normal_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, C, H, W]."""
        return self.head(self.features(x).mean((2, 3)))


class MiniImagenetConv(nn.Module):
    """Four times {3x3 convolution -> batch norm -> 2x2 max pool, SAME -> ReLU}, then a head.

    84 -> 42 -> 21 -> 11 -> 6: 1,152 features and 34,661 parameters at 5 ways (models.py:37-51).
    Batch norm comes before the pool (trap 19), and the pool rounds up.
    """

    def __init__(
        self,
        ways: int,
        in_channels: int = 3,
        size: int = 84,
        channels: int = 32,
        norm: str = "batch",
    ) -> None:
        """`size` is the height and width of the images in pixels, `norm` is `batch` or `group`."""
        super().__init__()
        check_counts(ways=ways, in_channels=in_channels, size=size, channels=channels)
        blocks = []
        for _ in range(4):
            blocks += [SameConv2d(in_channels, channels, stride=1, normalized=norm == "batch")]
            blocks += [make_norm(channels, norm), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()]
            in_channels, size = channels, -(-size // 2)
        self.features = nn.Sequential(*blocks)
        self.head = glorot(nn.Linear(channels * size * size, ways))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, C, H, W]."""
        return self.head(self.features(x).flatten(1))
