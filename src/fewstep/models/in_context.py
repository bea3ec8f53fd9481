"""Reading a brain in context: what each voxel answers to is learned from examples in the forward
pass, as tokens, and a transformer looks at all voxels at once.

After BrainCoDec, whose released code has the second stage: here the first is a ridge regression of
each voxel, and its residual variance is a feature of the token. Both are our reading.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.ridge import TAKES, encoded


class Attention(nn.Module):
    """Attention and SwiGLU; queries are multiplied by the logarithm of how many tokens there are,
    so that it stays as sharp among many."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Tokens [B, T, E], of which those are looked at that are `there` [T]."""
        parts = self.qkv(self.first(tokens)).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        q = q * there.sum().to(q.dtype).log()
        mask = torch.zeros_like(there, dtype=q.dtype).masked_fill(~there, -torch.inf)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None, None, None])
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(-2))
        gate, value = self.up(self.second(tokens)).chunk(2, dim=-1)
        return tokens + self.down(F.silu(gate) * value)


class InContextDecoder(nn.Module):
    """Embeddings of pictures from the answers of a subject whom it has not met: a token a voxel,
    [w, b, log residual, beta], beside register tokens whose mean is read. Answers and weights are
    told in units of the subject's own weights, their root mean square, so that no scale matters."""

    takes = TAKES

    def __init__(
        self,
        d: int = 16,
        width: int = 64,
        blocks: int = 2,
        registers: int = 8,
        context: bool = True,
    ) -> None:
        """
        Args:
            d: numbers of an embedding.
            width: of a token, a multiple of 4.
            blocks: of attention.
            registers: tokens beside the voxels.
            context: whether the pictures that were seen are told; without, it can only guess.
        """
        super().__init__()
        for name, value in (("d", d), ("blocks", blocks), ("registers", registers)):
            if value < 1:
                raise ValueError(f"model.{name}={value}: must be at least 1")
        if width < 4 or width % 4:
            raise ValueError(f"model.width={width}: must be a multiple of 4, its heads")
        self.context = context
        self.token = nn.Linear(d + 3, width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.registers = nn.Parameter(0.02 * torch.randn(registers, width))
        self.blocks = nn.ModuleList(Attention(width, 4) for _ in range(blocks))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, d)

    def forward(self, x: Tensor, **given: Tensor) -> Tensor:
        """Embeddings [B, D] of answers [B, V]."""
        known, there = encoded(given), given["voxels"].bool()
        unit = (known.w.square().sum() / (given["voxels"].sum() * known.w.shape[1])).sqrt() + 1e-6
        noise = (known.residual / unit.square() + 1e-3).log()
        seen = torch.cat([known.w / unit, known.b[:, None] / unit, noise[:, None]], 1)
        seen = seen if self.context else torch.zeros_like(seen)
        answers = x / unit if self.context else x
        features = torch.cat([seen.expand(len(x), *seen.shape), answers[..., None]], -1)
        tokens = self.token(features)
        tokens = tokens + self.mlp(tokens)
        registers = self.registers.expand(len(x), *self.registers.shape)
        tokens, count = torch.cat([registers, tokens], 1), len(self.registers)
        there = torch.cat([there.new_ones(count), there])
        for block in self.blocks:
            tokens = block(tokens, there)
        return self.out(self.norm(tokens[:, :count]).mean(1))
