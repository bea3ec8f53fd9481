"""How alike two networks see the same inputs."""

from __future__ import annotations

from torch import Tensor


def cka(one: Tensor, other: Tensor) -> Tensor:
    """Linear centred kernel alignment of features [B, D] and [B, E] of the same inputs (Kornblith
    et al. 2019)."""
    one, other = one - one.mean(0), other - other.mean(0)
    norms = (one.T @ one).norm() * (other.T @ other).norm()
    return (one.T @ other).square().sum() / norms.clamp(min=1e-12)
