"""A transformer on radio signals, and prompts that adapt it while it stays as it is.

RFPrompt's own code was read; what is ours is said where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


SHARES = (1, 2, 1, 1)
"""Of the prompts that are global, spectral, temporal, and made for the condition at hand."""
WHERE = ("input", "every_layer")
SPREAD = 0.02
"""Of a prompt's first values."""


def groups_of(length: int) -> tuple[int, ...]:
    """How many prompts of each group: the largest remainders get what is left."""
    whole = [length * share // sum(SHARES) for share in SHARES]
    rest = [length * share % sum(SHARES) for share in SHARES]
    first = sorted(range(len(SHARES)), key=lambda i: -rest[i])[: length - sum(whole)]
    return tuple(n + (i in first) for i, n in enumerate(whole))


class Prompts(nn.Module):
    """Tokens that a task adapts in the place of weights: for the first layer, or some for each."""

    def __init__(self, length: int, d: int, layers: int, condition: bool, weigh: bool) -> None:
        """
        Args:
            length: prompts of a layer.
            d: numbers of a token.
            layers: that have prompts of their own.
            condition: whether the last group is made of the mean token, by a small network.
            weigh: whether a softmax over the four groups, learned, scales them.
        """
        super().__init__()
        self.sizes = groups_of(length)
        made = self.sizes[-1] if condition else 0
        self.tokens = nn.Parameter(SPREAD * torch.randn(layers, length - made, d))
        self.weights = nn.Parameter(torch.zeros(len(SHARES))) if weigh else None
        self.condition = None
        if condition:
            self.condition = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, made * d))

    def forward(self, layer: int, content: Tensor) -> Tensor:
        """Prompts [B, length, d] before content tokens [B, n, d]."""
        found = self.tokens[layer].expand(len(content), -1, -1)
        if self.condition is not None:
            made = self.condition(content.mean(1)).unflatten(1, (self.sizes[-1], -1))
            found = torch.cat([found, made], 1)
        if self.weights is not None:
            each = len(SHARES) * self.weights.softmax(0)
            scales = [one.expand(n) for one, n in zip(each, self.sizes, strict=True)]
            found = found * torch.cat(scales)[:, None]
        return found


class Block(nn.Module):
    """Attention and two layers, each after a norm and beside what goes on as it is."""

    def __init__(self, d: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attends, self.joins = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.feeds = nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d))

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, n, d] of the same."""
        parts = self.attends(self.norm1(tokens)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.joins(seen)
        return tokens + self.feeds(self.norm2(tokens))


class SignalTransformer(nn.Module):
    """Signals [B, 2, samples], cut into patches, to logits [B, ways].

    Without prompts it has the parameters that it has with them, but for `prompts.*`: what it
    learned on clean signals is where prompts start. The answer is that of the content tokens' mean.
    """

    def __init__(
        self,
        ways: int = 6,
        samples: int = 128,
        patch: int = 8,
        d: int = 48,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 96,
        prompts: int = 0,
        where: str = "every_layer",
        condition: bool = False,
        weigh: bool = False,
    ) -> None:
        """
        Args:
            ways: classes.
            samples: of a signal.
            patch: samples of a token.
            d: numbers of a token.
            layers: blocks of attention.
            heads: of each.
            hidden: width of what follows it.
            prompts: before the content tokens; 0 for none.
            where: `input`: put before the content once, and learned from by every layer;
                `every_layer`: each layer has its own.
            condition: see `Prompts`.
            weigh: see `Prompts`.

        Raises:
            ValueError: sizes that do not fit each other.
        """
        super().__init__()
        sizes = {"patch": patch, "d": d, "layers": layers, "heads": heads, "hidden": hidden}
        _check_sizes(sizes, samples)
        _check_prompts(prompts, where, grouped=condition or weigh)
        self.patch, self.where = patch, where
        self.embed = nn.Linear(2 * patch, d)
        self.position = nn.Parameter(SPREAD * torch.randn(samples // patch, d))
        self.layers = nn.ModuleList(Block(d, heads, hidden) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, ways)
        own = layers if where == "every_layer" else 1
        self.prompts = Prompts(prompts, d, own, condition, weigh) if prompts else None

    @property
    def to_freeze(self) -> tuple[str, ...]:
        """What is meant to stay as it is while the prompts adapt."""
        return ("embed.*", "position", "layers.*", "norm.*") if self.prompts is not None else ()

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of signals [B, 2, samples]."""
        patches = x.unflatten(2, (-1, self.patch)).transpose(1, 2).flatten(2)
        content = self.embed(patches) + self.position
        before = content[:, :0]
        for i, layer in enumerate(self.layers):
            if self.prompts is not None and (self.where == "every_layer" or i == 0):
                before = self.prompts(i, content)
            tokens = layer(torch.cat([before, content], 1))
            before, content = tokens.split([before.shape[1], content.shape[1]], 1)
        return self.head(self.norm(content).mean(1))


def _check_sizes(sizes: Mapping[str, int], samples: int) -> None:
    """Refuse sizes that do not fit each other."""
    if small := [f"model.{name}={n}" for name, n in sizes.items() if n < 1]:
        raise ValueError(f"{small[0]}: must be at least 1")
    patch, d, heads = (sizes[name] for name in ("patch", "d", "heads"))
    if samples < patch or samples % patch:
        raise ValueError(
            f"model.patch={patch}: a signal of {samples} samples is no whole number of "
            "patches, at least one. Use one that divides it"
        )
    if d % heads:
        raise ValueError(f"model.heads={heads}: must divide model.d={d}")


def _check_prompts(prompts: int, where: str, grouped: bool) -> None:
    """Refuse a place that there is not, and fewer prompts than groups where these matter."""
    if where not in WHERE:
        raise ValueError(f"model.where={where}: must be one of {', '.join(WHERE)}")
    fewest = len(SHARES) if grouped else 0
    if prompts < fewest:
        raise ValueError(
            f"model.prompts={prompts}: must be at least {fewest}"
            + (", one of each group" if fewest else "")
        )
