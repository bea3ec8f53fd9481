"""Test-time augmentation: a picture stands for itself and for its copies that are a little moved.

In the support set every copy is an example of its picture's class; the answer to a query is the
mean of the answers to its copies. No query sees another one, so that what is inductive stays so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.types import Episode


def copies_of(shift: int) -> int:
    """Copies of a picture, itself among them."""
    return (2 * shift + 1) ** 2


def moved(x: Tensor, shift: int) -> Tensor:
    """Pictures [B, C, H, W] moved by up to `shift` pixels down and right, as many at the border as
    it takes: [B * copies_of(shift), C, H, W], the copies of one after those of another."""
    ways = range(-shift, shift + 1)
    rows, columns = (
        [(torch.arange(size, device=x.device) + way).clamp(0, size - 1) for way in ways]
        for size in x.shape[-2:]
    )
    lines = [x[..., row, :] for row in rows]
    copies = [line[..., column] for line in lines for column in columns]
    return torch.stack(copies, dim=-4).flatten(-5, -4)


def with_copies(episode: Episode, shift: int) -> Episode:
    """The task of the same pictures and their copies; its `query_y` are still one a picture. An
    inner minibatch holds all copies of its pictures."""
    if not shift:
        return episode
    n = copies_of(shift)
    places = episode.batches.unsqueeze(-1) * n + torch.arange(n, device=episode.batches.device)
    return episode._replace(
        support_x=moved(episode.support_x, shift),
        support_y=episode.support_y.repeat_interleave(n, 0),
        query_x=moved(episode.query_x, shift),
        batches=places.flatten(-2),
    )


def averaged(outputs: Any, shift: int) -> Any:
    """Outputs [B, ...] of pictures from those of their copies [B * copies_of(shift), ...]."""
    if not shift:
        return outputs
    size = (-1, copies_of(shift))
    return pytree.tree_map(lambda output: output.unflatten(0, size).mean(1), outputs)
