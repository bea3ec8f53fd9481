"""Shots into the ground and what receivers hear of them: a physics loss, by deepwave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fewstep.core.types import Metrics
from fewstep.data.options import MOST, check_count, is_count, is_integer, is_positive, must_be, some
from fewstep.disk.array_files import read_numbers


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
        return {"loss": self._loss("misfit", outputs, targets, given).mean(), "velocity_rmse": rmse}

    def _loss(
        self, kind: str, outputs: Mapping[str, Tensor], targets: Tensor, given: Mapping[str, Tensor]
    ) -> Tensor:
        """The misfit of seismograms, or the mean squared error of the velocity: [B]."""
        if kind == "misfit":
            return misfit(self.survey.shoot(outputs["velocity"][0], outputs["cells"]), targets)
        error = (outputs["velocity"] - given["velocity"]) / self.scale
        return error.square().mean((1, 2))


def check_numbers(asked: Any) -> None:
    """Hold each number of a `Ground` against its limits; ValueError names the key and both."""
    for key in ("dx", "dt", "nt", "freq"):
        if not 0 < (value := getattr(asked, key)) < math.inf:
            raise ValueError(f"dataset.{key}={value}: must be a number above 0")
    check_count("nt", asked.nt, 150)
    cells = f"two whole numbers above 0 and at most {MOST}"
    must_be("grid", asked.grid, some(is_count, 2, 2), cells, "[20,32]")
    speeds = some(is_positive, 2, 2)
    must_be("velocity", asked.velocity, speeds, "two numbers above 0", "[2750,1250]")
    if asked.velocity[1] >= asked.velocity[0]:
        reason = "the second is the largest distance from the first, the mean, and must be less"
        raise ValueError(f"dataset.velocity={list(asked.velocity)}: {reason}")
    must_be("receiver_rows", asked.receiver_rows, some(is_integer), "whole numbers", "[0,19]")


def read_models(file: str, grid: Sequence[int]) -> np.ndarray:
    """Models [n, nz, nx] in m/s, of a .npy file; ValueError if it holds none of such a grid."""
    key = f"dataset.file={file}"
    found = read_numbers(file, "dataset.file", "models in m/s")
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or not len(found) or found.shape[1:] != tuple(grid):
        here = f"{len(found)} models of {list(found.shape[1:])}"
        raise ValueError(f"{key}: holds {here}. Set dataset.grid to these cells, or cut them")
    if len(holes := found[~np.isfinite(found) | (found <= 0)]):
        raise ValueError(
            f"{key}: holds {holes[0]:g} in {len(holes)} of {found.size} cells, and a speed is "
            "finite and above 0 m/s. Fill these cells in"
        )
    if found.max() < 20:
        raise ValueError(f"{key}: its fastest is {found.max():g}: it is in km/s. Multiply by 1000")
    return found
