"""What a few examples say of a class together."""

from __future__ import annotations

import torch
from torch import Tensor


def class_means(x: Tensor, y: Tensor, ways: int) -> Tensor:
    """The mean of each class's examples (Snell et al. 2017, eq. 1): [N, D] of x [S, D] and classes
    y [S]; a class without an example is at 0. Differentiable, and for `vmap` too."""
    members = (y[:, None] == torch.arange(ways, device=x.device)).to(x.dtype)  # [S, N]
    return (members.T @ x) / members.sum(0).clamp(min=1)[:, None]
