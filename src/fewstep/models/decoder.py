"""A small language model whose context may be read both ways, and what a task adapts of it.

The layers are Qwen's (RMSNorm, rotary positions, SwiGLU, no biases), so that what is tried here is
named as it is there: each task's own part is `lora_A` and `lora_B`, everything else ends in
`weight`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """`x / rms(x)` times a weight for each feature."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., width]."""
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight


class LoRALinear(nn.Module):
    """`W x + (alpha / r) B A x`: a matrix, and beside it a product of two thin ones that starts at
    0, for tasks to move (Hu et al. 2022). With rank 0 it is the matrix alone."""

    def __init__(self, inputs: int, outputs: int, rank: int = 0, alpha: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.rank, self.scale = rank, alpha / max(rank, 1)
        if rank:
            bound = 1 / math.sqrt(inputs)
            self.lora_A = nn.Parameter(torch.empty(rank, inputs).uniform_(-bound, bound))
            self.lora_B = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        outputs = F.linear(x, self.weight)
        if not self.rank:
            return outputs
        return outputs + self.scale * F.linear(F.linear(x, self.lora_A), self.lora_B)


class AttentionWeights(nn.Module):
    """The softmax of attention, a layer of its own so that a hook can look at it."""

    attends = True
    """By which a probe finds it."""

    def forward(self, q: Tensor, k: Tensor, allowed: Tensor) -> Tensor:
        """[B, H, T, T] of queries and keys [B, H, T, D]; `allowed` is [B, T, T]."""
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return scores.masked_fill(~allowed.unsqueeze(-3), -math.inf).softmax(-1)


class Attention(nn.Module):
    """Several heads with rotary positions (Su et al. 2021)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.weights = heads, AttentionWeights()
        self.q, self.k, self.v, self.o = (LoRALinear(width, width) for _ in range(4))

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        """[B, T, width]."""
        q, k, v = (self._parted(layer(x)) for layer in (self.q, self.k, self.v))
        mixed = self.weights(rotated(q), rotated(k), allowed) @ v
        return self.o(mixed.transpose(-2, -3).flatten(-2))

    def _parted(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)


class SwiGLU(nn.Module):
    """`down(silu(gate(x)) * up(x))`, each with what a task adapts."""

    def __init__(self, width: int, hidden: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.gate, self.up = (LoRALinear(width, hidden, rank, alpha) for _ in range(2))
        self.down = LoRALinear(hidden, width, rank, alpha)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width]."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """Attention and a SwiGLU, each after a norm and added to what comes in."""

    def __init__(self, width: int, heads: int, hidden: int, lora: tuple[int, float]) -> None:
        super().__init__()
        self.norm1, self.attention = RMSNorm(width), Attention(width, heads)
        self.norm2, self.mlp = RMSNorm(width), SwiGLU(width, hidden, *lora)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        """[B, T, width]."""
        x = x + self.attention(self.norm1(x), allowed)
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """Next-token logits of sequences in which somebody asks and somebody responds.

    The part that a task adapts (`lora_A`, `lora_B`) is beside the SwiGLU of the layers from
    int(0.65 layers), as FocuSFT has it.
    """

    def __init__(
        self,
        vocabulary: int,
        sizes: tuple[int, int, int, int] = (2, 48, 4, 128),
        rank: int = 0,
        alpha: float = 8.0,
        bidirectional: bool = False,
    ) -> None:
        """
        Args:
            vocabulary: kinds of tokens.
            sizes: layers, width, heads, and the width inside a SwiGLU.
            rank: of what a task adapts; 0 is nothing.
            alpha: it counts `alpha / rank` times.
            bidirectional: a turn of context is read as a whole, both ways.

        Raises:
            ValueError: a rank below 0, or heads of no even width.
        """
        super().__init__()
        layers, width, heads, hidden = sizes
        if rank < 0:
            raise ValueError(f"model.rank={rank}: must be at least 0. For example model.rank=4")
        if width % (2 * heads):
            raise ValueError(
                f"model.sizes={list(sizes)}: rotary positions turn pairs, so that the width "
                f"{width} must be a multiple of 2 * {heads} heads. For example "
                f"model.sizes=[{layers},{-(-width // (2 * heads)) * 2 * heads},{heads},{hidden}]"
            )
        self.bidirectional = bidirectional
        self.embed = nn.Embedding(vocabulary, width)
        first = int(0.65 * layers)
        self.blocks = nn.ModuleList(
            Block(width, heads, hidden, (rank if i >= first else 0, alpha)) for i in range(layers)
        )
        self.norm, self.head = RMSNorm(width), LoRALinear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, T, vocabulary] of x [B, 2, T] int64: tokens, and 1 where it is a response."""
        tokens, flags = x[:, 0], x[:, 1]
        allowed = allowed_by(flags, self.bidirectional)
        h = self.embed(tokens)
        for block in self.blocks:
            h = block(h, allowed)
        return self.head(self.norm(h))


def allowed_by(flags: Tensor, bidirectional: bool) -> Tensor:
    """[B, T, T] bool, who may look at whom, of response flags [B, T].

    A token looks at what came before it; with `bidirectional` at all of its turn too, where that is
    context. A turn is a run of equal flags.
    """
    place = torch.arange(flags.shape[-1], device=flags.device)
    before = place[:, None] >= place
    if not bidirectional:
        return before.expand(*flags.shape, flags.shape[-1])
    first = flags[..., :1]
    turn = (flags != torch.cat([first, flags[..., :-1]], -1)).cumsum(-1)
    same = turn.unsqueeze(-1) == turn.unsqueeze(-2)
    return before | (same & (flags == 0).unsqueeze(-1))


def rotated(x: Tensor) -> Tensor:
    """[..., T, D] with each pair of features (i, i + D / 2) turned by its place in the row."""
    half = x.shape[-1] // 2
    rate = 10000.0 ** -(torch.arange(half, device=x.device, dtype=x.dtype) / half)
    angle = torch.arange(x.shape[-2], device=x.device, dtype=x.dtype)[:, None] * rate
    one, other = x[..., :half], x[..., half:]
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([one * cos - other * sin, other * cos + one * sin], -1)
