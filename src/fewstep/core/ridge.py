"""Linear answers of many voxels to a picture: each one's ridge regression, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn


TAKES = ("support_x", "support_y", "voxels", "images")
"""What a network takes of a subject: answers [n, V] and embeddings [n, D] of pictures, and which
voxels [V] and pictures [n] are there, 1 or 0."""

LAMBDA, MU = 0.1, 1.0
"""Of the ridge on a voxel's weights, and of that on an embedding."""


class Voxels(NamedTuple):
    """What each voxel answers to, as some pictures tell it."""

    w: Tensor
    """[V, D]."""
    b: Tensor
    """[V]."""
    residual: Tensor
    """[V], the variance that is left."""


def encoded(given: Mapping[str, Tensor], penalty: float = LAMBDA) -> Voxels:
    """A centred ridge regression of each voxel's answers on the embeddings of the pictures that are
    there."""
    beta, z, there = given["support_x"], given["support_y"], given["images"][:, None]
    count = there.sum()
    mean_z, mean_beta = (z * there).sum(0) / count, (beta * there).sum(0) / count
    zc, bc = (z - mean_z) * there, (beta - mean_beta) * there
    eye = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    w = torch.linalg.solve(zc.T @ zc + penalty * eye, zc.T @ bc).T
    residual = (bc - zc @ w.T).square().sum(0) / count
    return Voxels(w, mean_beta - w @ mean_z, residual)


def decoded(beta: Tensor, voxels: Voxels, weight: Tensor, penalty: float = MU) -> Tensor:
    """The embedding [B, D] that answers [B, V] are likeliest of, with the weight [V] of each."""
    weighted = voxels.w * weight[:, None]
    eye = torch.eye(voxels.w.shape[1], dtype=beta.dtype, device=beta.device)
    gram = weighted.T @ voxels.w + penalty * eye
    return torch.linalg.solve(gram, ((beta - voxels.b) @ weighted).T).T


class Ridge(nn.Module):
    """The embedding that explains a query's answers best by ridge regressions of the voxels, each
    weighted by how little of it is noise, or all alike. It learns nothing."""

    takes = TAKES

    def __init__(self, weighted: bool) -> None:
        super().__init__()
        self.weighted = weighted
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, **given: Tensor) -> Tensor:
        """Embeddings [B, D] of answers [B, V]."""
        voxels = encoded(given)
        weight = given["voxels"] * (1 / (voxels.residual + 0.05) if self.weighted else 1.0)
        return decoded(x, voxels, weight) + 0 * self.unused
