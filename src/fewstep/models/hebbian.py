"""Hebbian fast weights: a layer that a task's support tokens write in the forward pass.

What one association says is u k^T, so that all of them together are F = sum u k^T, one outer
product a token; F q recalls. No step is taken and nothing is reset: F is a function of the support
set. Our reading of fast weights in vision transformers, whose method section could not be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.models.prototypes import Prototypes


WHERE = ("none", "final", "every")
HEADS = ("prototypes", "labels")


def written(keys: Tensor, values: Tensor, decay: float = 1.0) -> Tensor:
    """F = sum_i decay^(n-1-i) u_i k_i^T: [E, D] of keys [n, D] and values [n, E].

    Without decay, a step of SGD at rate 1 on sum |F k - u|^2 / 2 from F = 0, in any order.
    """
    if decay != 1:
        ages = torch.arange(len(keys) - 1, -1, -1, device=keys.device, dtype=keys.dtype)
        values = values * (decay**ages)[:, None]
    return values.T @ keys


class FastWeights(nn.Module):
    """y = x + g W_o LN(F q), with F = eta / sqrt(n) sum u k^T over the n support tokens alone."""

    def __init__(self, width: int, decay: float = 1.0) -> None:
        super().__init__()
        self.decay = decay
        self.norm, self.recalled = nn.LayerNorm(width), nn.LayerNorm(width)
        self.key, self.query, self.value, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.eta, self.gain = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def forward(self, tokens: Tensor, support: int) -> Tensor:
        """Tokens [B, ..., D], of which the first `support` examples write."""
        h = self.norm(tokens)
        fast = self.memory(h[:support])
        read = F.normalize(self.query(h), dim=-1) @ fast.T
        return tokens + self.gain * self.out(self.recalled(read))

    def memory(self, h: Tensor) -> Tensor:
        """F [D, D] of normalized support tokens [S, ..., D]."""
        h = h.flatten(0, -2)
        keys = F.normalize(self.key(h), dim=-1)
        return self.eta * written(keys, self.value(h), self.decay) / len(h) ** 0.5


@dataclass(frozen=True)
class How:
    """Where a network has fast weights, and what reads its features.

    Raises:
        ValueError: a value out of range.
    """

    where: str = "final"
    """After which stages: none, the final one, or every one."""
    head: str = "prototypes"
    """`prototypes`, or `labels`: fast weights that tell which class a feature is of."""
    decay: float = 1.0
    """What an older token counts of the next; below 1 their order matters."""

    def __post_init__(self) -> None:
        for name, known in (("where", WHERE), ("head", HEADS)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"model.{name}={value}: must be one of {', '.join(known)}")
        if not 0 < self.decay <= 1:
            raise ValueError(
                f"model.decay={self.decay}: must be above 0 and at most 1. For example "
                "model.decay=1.0"
            )

    def stages(self, count: int) -> Sequence[int]:
        """Those of so many that fast weights follow."""
        return {"none": [], "final": [count - 1], "every": range(count)}[self.where]


class HebbianNet(Prototypes):
    """Stages of tokens, each perhaps followed by fast weights, and the mean token below a head."""

    def __init__(
        self, stem: nn.Module, stages: Sequence[tuple[nn.Module, int]], ways: int, how: How
    ) -> None:
        """
        Args:
            stem: from images to tokens [B, ..., D].
            stages: modules of tokens, each with the width of what it makes.
            ways: N.
            how: where the fast weights are, and what reads.
        """
        super().__init__(stem, ways)
        self.head = how.head
        self.stages = nn.ModuleList(stage for stage, _ in stages)
        places = how.stages(len(stages))
        self.fast = nn.ModuleDict({str(i): FastWeights(stages[i][1], how.decay) for i in places})
        self.norm = nn.LayerNorm(stages[-1][1])

    def forward(self, x: Tensor, support_x: Tensor, support_y: Tensor) -> Tensor:
        """Logits [B, N]."""
        if self.head == "prototypes":
            return super().forward(x, support_x, support_y)
        embedded, support = (F.normalize(f, dim=-1) for f in self.embed(x, support_x))
        labels = support_y[:, None] == torch.arange(self.ways, device=x.device)
        return self.scale * embedded @ written(support, labels.to(support.dtype)).T

    def embed(self, x: Tensor, support_x: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [B, D] and [S, D]."""
        tokens, support = self.encoder(torch.cat([support_x, x])), len(support_x)
        for i, stage in enumerate(self.stages):
            tokens = stage(tokens)
            if str(i) in self.fast:
                tokens = self.fast[str(i)](tokens, support)
        features = self.norm(tokens).flatten(1, -2).mean(1)
        return features[support:], features[:support]
