"""How alike features are: of the same inputs in two networks, of the same class in one."""

from __future__ import annotations

import torch
from torch import Tensor


def cka(one: Tensor, other: Tensor) -> Tensor:
    """Linear centred kernel alignment of features [B, D] and [B, E] of the same inputs (Kornblith
    et al. 2019)."""
    one, other = one - one.mean(0), other - other.mean(0)
    norms = (one.T @ one).norm() * (other.T @ other).norm()
    return (one.T @ other).square().sum() / norms.clamp(min=1e-12)


def contrast(h: Tensor, y: Tensor, tau: float) -> Tensor:
    """Supervised contrast (Khosla et al. 2020, eq. 2) of unit features h [B, D] with classes y:
    [B], minus the mean log-likelihood of an example's class mates among all others."""
    itself = torch.eye(len(h), dtype=torch.bool, device=h.device)
    likeness = (h @ h.T / tau).masked_fill(itself, -torch.inf)
    log_share = (likeness - likeness.logsumexp(1, keepdim=True)).masked_fill(itself, 0.0)
    mates = (y[:, None] == y) & ~itself
    return -(log_share * mates).sum(1) / mates.sum(1).clamp(min=1)
