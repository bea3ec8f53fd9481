"""Shots into the ground and what receivers hear of them: a physics loss, by deepwave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

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


OUTER = ("misfit", "velocity")


@dataclass(frozen=True)
class Inversion:
    """Which ground explains the seismograms: an objective whose loss is a wave equation.

    The inner loop descends the misfit of shots. The outer step descends that of other shots, or
    the error of the velocities themselves, which meta-training knows.
    """

    survey: Survey
    outer: str
    """`misfit` or `velocity`."""
    scale: float
    """By which velocities are divided, m/s."""

    unit: ClassVar[str] = "misfit of seismograms"

    def inner_loss(self, outputs: Mapping[str, Tensor], targets: Tensor) -> Tensor:
        """The misfit of each shot with seismograms [B, receivers, nt]: [B]."""
        return misfit(self.survey.shoot(outputs["velocity"][0], outputs["cells"]), targets)

    def outer_loss(
        self, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Tensor]
    ) -> Tensor:
        """The same of query shots, or the squared error of the velocity: [B]."""
        if self.outer == "misfit":
            return self.inner_loss(outputs, targets)
        return self._error(outputs, given).square().mean((1, 2)) / self.scale**2

    def metrics(
        self, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Any]
    ) -> Metrics:
        """`loss`, the mean misfit, and `velocity_rmse` in m/s, of which that says too little."""
        rmse = self._error(outputs, given)[0].square().mean().sqrt()
        return {"loss": self.inner_loss(outputs, targets).mean(), "velocity_rmse": rmse}

    def _error(self, outputs: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Tensor:
        return outputs["velocity"] - given["velocity"]
