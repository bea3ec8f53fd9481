"""A velocity model that is a network of sines (IFWI, whose code was read: Sun et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


W0 = 30.0
"""How fast the first waves are; in every layer, so that gradients have one size."""


class Siren(nn.Module):
    """`sin(w0 (W h + b))` in every layer, the last included, whose answer so stays in -1..1."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers = [nn.Linear(n, m) for n, m in pairwise(sizes)]
        for i, layer in enumerate(layers):
            n = layer.in_features
            bound = math.sqrt(6 / n) / W0 if i else 1 / n
            nn.init.uniform_(layer.weight, -bound, bound)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """[..., last] at points [..., first]."""
        for layer in self.layers:
            x = torch.sin(W0 * layer(x))
        return x


class VelocityModel(nn.Module):
    """One model of the ground, whatever the shot: `v = mean + spread siren(x, z)`, points in km.

    It answers each shot with its place and the whole model, and the objective computes the waves.
    """

    programs = False  # a simulator's own code cannot be written as one

    def __init__(
        self,
        grid: Sequence[int] = (20, 32),
        dx: float = 50.0,
        velocity: Sequence[float] = (2750.0, 1250.0),
        hidden: int = 64,
        depth: int = 4,
    ) -> None:
        """
        Args:
            grid: cells in depth and across.
            dx: their size in metres.
            velocity: the mean and how far from it there may be others, in m/s: both what waves
                can resolve and what the simulation is stable for.
            hidden: width of a layer.
            depth: hidden layers.
        """
        super().__init__()
        for name, value in (("hidden", hidden), ("depth", depth)):
            if value < 1:
                raise ValueError(f"model.{name}={value}: must be at least 1")
        self.mean, self.spread = velocity
        self.siren = Siren([2, *[hidden] * depth, 1])
        axes = (torch.arange(n) * dx / 1000 for n in grid)
        z, x = torch.meshgrid(*axes, indexing="ij")
        self.register_buffer("points", torch.stack([x, z], -1), persistent=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Of shots in the cells [B, 2]: `velocity` [B, nz, nx] in m/s, and `cells` [B, 2]."""
        model = self.mean + self.spread * self.siren(self.points)[..., 0]
        return {"velocity": model.expand(len(x), -1, -1), "cells": x.to(model.dtype)}
