"""Transformers with Hebbian fast weights: a small one, and timm's Swin-T."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.models.hebbian import HebbianNet, How
from fewstep.models.layers import check_counts


class Block(nn.Module):
    """Attention and an MLP, each after a layer norm and beside what comes in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, D] of the same."""
        parts = self.qkv(self.first(tokens)).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2)
        tokens = tokens + self.out(mixed)
        return tokens + self.mlp(self.second(tokens))


class Stem(nn.Module):
    """Two 3x3 convolutions of stride 2 with group norms, then tokens with learned places."""

    def __init__(self, in_channels: int, size: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, half, 3, stride=2, padding=1),
            nn.GroupNorm(8, half),
            nn.ReLU(),
            nn.Conv2d(half, width, 3, stride=2, padding=1),
            nn.GroupNorm(8, width),
            nn.ReLU(),
        )
        side = (size + 3) // 4
        self.places = nn.Parameter(0.02 * torch.randn(side * side, width))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, T, D] of images [B, C, H, W]."""
        return self.convolutions(x).flatten(2).transpose(1, 2) + self.places


class HebbianViT(HebbianNet):
    """A small vision transformer: 49 tokens of 28 pixels, two blocks of four heads, 89 k
    parameters without fast weights."""

    def __init__(
        self,
        ways: int,
        in_channels: int = 1,
        size: int = 28,
        width: int = 64,
        where: str = "final",
        head: str = "prototypes",
        decay: float = 1.0,
    ) -> None:
        """
        Args:
            ways: N.
            in_channels: C.
            size: height and width of the images in pixels.
            width: of a token, a multiple of 16.
            where: `none`, `final` or `every`: after which blocks there are fast weights.
            head: `prototypes` or `labels`.
            decay: what an older token counts of the next.
        """
        check_counts(ways=ways, in_channels=in_channels, size=size)
        if width < 16 or width % 16:
            raise ValueError(f"model.width={width}: must be a multiple of 16. For example 64")
        stages = [(Block(width, heads=4), width) for _ in range(2)]
        super().__init__(Stem(in_channels, size, width), stages, ways, How(where, head, decay))


class HebbianSwin(HebbianNet):
    """Swin-T of timm, 28 million parameters, with fast weights after stages: images of 224 pixels
    in three channels."""

    def __init__(
        self, ways: int, where: str = "final", head: str = "prototypes", decay: float = 1.0
    ) -> None:
        """As `HebbianViT`; a stage is one of Swin's four."""
        try:
            from timm.models.swin_transformer import swin_tiny_patch4_window7_224 as swin
        except ImportError:
            raise ValueError(
                "model._target_=fewstep.models.transformers.HebbianSwin: needs timm, which is not "
                "installed. pip install 'fewstep[vision]', or use model=hebbian_vit"
            ) from None
        body = swin(num_classes=0, drop_path_rate=0.0)
        stages = [(stage, 96 * 2**i) for i, stage in enumerate(body.layers)]
        super().__init__(body.patch_embed, stages, ways, How(where, head, decay))
