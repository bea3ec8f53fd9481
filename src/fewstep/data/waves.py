"""Shots into the ground and what receivers hear of them: a physics loss, by deepwave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar

import torch
from torch import Tensor

from fewstep.core.types import Metrics


FLOOR = 1e-3
"""What a trace is divided by at least, of the loudest one's energy."""
PML = 8
"""Cells around the grid that swallow what leaves it."""


@dataclass(frozen=True)
class Survey:
    """How the ground is listened to. Waves obey d2p/dt2 = v^2 laplace p + source."""

    dx: float
    """Size of a cell, m."""
    dt: float
    """Time between samples, s."""
    nt: int
    """Samples of a trace."""
    freq: float
    """Of the Ricker wavelet that a shot is, Hz."""
    peak: float
    """When it is loudest, s."""
    receivers: tuple[tuple[int, int], ...]
    """Their cells."""
    max_velocity: float
    """The fastest that any model may be, m/s: it sets the steps of the simulation."""

    def shoot(self, velocity: Tensor, cells: Tensor) -> Tensor:
        """Seismograms [B, receivers, nt] of shots in the cells [B, 2] into one model [nz, nx]."""
        deepwave, shots = import_module("deepwave"), len(cells)
        ricker = deepwave.wavelets.ricker
        wave = ricker(self.freq, self.nt, self.dt, self.peak, dtype=velocity.dtype)
        where = torch.tensor(self.receivers, device=velocity.device)
        *_, heard = deepwave.scalar(
            velocity,
            self.dx,
            self.dt,
            source_amplitudes=wave.to(velocity.device).expand(shots, 1, -1),
            source_locations=cells.long()[:, None],
            receiver_locations=where.expand(shots, -1, -1),
            accuracy=4,
            pml_width=PML,
            pml_freq=self.freq,
            max_vel=self.max_velocity,
        )
        return heard


def misfit(heard: Tensor, wanted: Tensor) -> Tensor:
    """Squared differences of traces [B, receivers, nt], each by the energy of the one that is
    wanted, averaged over receivers: [B]. How Meta-IFWI weighs traces is not known: this is ours."""
    energy = wanted.square().sum(-1)
    least = FLOOR * energy.amax(-1, keepdim=True)
    return ((heard - wanted).square().sum(-1) / (energy + least)).mean(-1)


LOSSES = ("misfit", "velocity")


@dataclass(frozen=True)
class Inversion:
    """Which ground explains the seismograms: an objective whose loss is a wave equation.

    The inner loop descends the misfit of shots. The outer step descends that of other shots, or
    the error of the velocities themselves, which meta-training knows; without waves, so may what
    takes the place of an inner loop.
    """

    survey: Survey
    inner: str
    """`misfit` or `velocity`."""
    outer: str
    """The same."""
    scale: float
    """By which velocities are divided, m/s."""

    unit: ClassVar[str] = "misfit of seismograms"

    def inner_loss(
        self, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Tensor]
    ) -> Tensor:
        """Of each shot with seismograms [B, receivers, nt]: [B]."""
        return self._loss(self.inner, outputs, targets, given)

    def outer_loss(
        self, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Tensor]
    ) -> Tensor:
        """The same of query shots."""
        return self._loss(self.outer, outputs, targets, given)

    def metrics(
        self, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Tensor]
    ) -> Metrics:
        """`loss`, the mean misfit, and `velocity_rmse` in m/s, of which that says too little."""
        rmse = self.scale * self._loss("velocity", outputs, targets, given)[0].sqrt()
        loss = self._loss("misfit", outputs, targets, given).mean()
        return {"loss": loss, "velocity_rmse": rmse}

    def _loss(
        self, kind: str, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Tensor]
    ) -> Tensor:
        """The misfit of seismograms, or the mean squared error of the velocity: [B]."""
        if kind == "misfit":
            return misfit(self.survey.shoot(outputs["velocity"][0], outputs["cells"]), targets)
        error = (outputs["velocity"] - given["velocity"]) / self.scale
        return error.square().mean((1, 2))
