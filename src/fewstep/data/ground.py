"""Grounds to look into by waves: layers, or anomalies that no layered ground has.

A task is a model of velocities; its examples are shots, with the cell that each is fired in as x
and what all receivers hear as y. The papers' models could not be had: these are ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import torch

from fewstep.core.types import EpisodeSpec
from fewstep.data.family import Family, FamilySplit, Made
from fewstep.data.numbers import uniform
from fewstep.data.sampler import CLASSES, Draws
from fewstep.data.waves import LOSSES, Inversion, Survey, check_numbers, read_models


MODELS = ("layers", "anomalies")
MOST_COURANT = 0.6
"""Cells that the fastest wave may cross in a sample."""
FEWEST_CELLS = 7
"""Of the shortest wavelength."""


@dataclass
class Ground(Family):
    """Velocity models [nz, nx] and shots into them."""

    grid: Sequence[int] = (20, 32)
    """Cells in depth and across."""
    dx: float = 50.0
    dt: float = 0.005
    nt: int = 150
    freq: float = 4.0  # Hz
    velocity: Sequence[float] = (2750.0, 1250.0)
    """The mean and the largest distance from it, m/s, as the network has them."""
    source_row: int = 1
    receiver_rows: Sequence[int] = (0, 19)
    """Surface and bottom: by what comes back to the surface alone, much of the ground is unseen."""
    models: str = "layers"
    """`layers`: 3 to 6, dipping or undulating, half of them with a fault; `anomalies`: three in a
    gradient."""
    inner: str = "misfit"
    """What a task descends: `misfit` of its shots, or `velocity`, which is not known at test."""
    outer: str = "misfit"
    """What the outer step descends: `misfit` of other shots, or `velocity`."""
    file: str | None = None
    """A .npy file of one's own models, [nz, nx] or [n, nz, nx] in m/s: the test tasks."""

    name: ClassVar[str] = "ground"
    objective: Inversion = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for key, known in (("models", MODELS), ("inner", LOSSES), ("outer", LOSSES)):
            if (value := getattr(self, key)) not in known:
                raise ValueError(f"dataset.{key}={value}: must be one of {', '.join(known)}")
        check_numbers(self)
        mean, spread = self.velocity
        self._models = None if self.file is None else read_models(self.file, self.grid)
        own = [] if self._models is None else [self._models.min(), self._models.max()]
        self.interval = "closed" if own else "open"  # type: ignore[misc]  # further shots there
        slowest, fastest = min([mean - spread, *own]), max([mean + spread, *own])
        courant, cells = fastest * self.dt / self.dx, slowest / (self.freq * self.dx)
        if courant > MOST_COURANT:
            raise ValueError(
                f"dataset.dt={self.dt}: waves of {fastest:g} m/s cross {courant:.2f} cells of "
                f"dataset.dx={self.dx} in a sample, {MOST_COURANT} at most. Use dataset.dt="
                f"{MOST_COURANT * self.dx / fastest:.2g} or less"
            )
        if cells < FEWEST_CELLS:
            raise ValueError(
                f"dataset.freq={self.freq}: at {slowest:g} m/s a wavelength has {cells:.1f} "
                f"cells of dataset.dx={self.dx}, {FEWEST_CELLS} at least. Use dataset.freq="
                f"{slowest / FEWEST_CELLS / self.dx:.2g} or less"
            )
        if own and (own[0] < mean - spread or own[1] > mean + spread):
            reason = f"has {own[0]:g} to {own[1]:g} m/s, which is more than a network answers by"
            fix = f"dataset.velocity={list(self.velocity)}: the rest stays an error. Widen that"
            warnings.warn(f"dataset.file={self.file}: {reason} {fix}", stacklevel=2)
        for key in ("source_row", "receiver_rows"):
            rows = np.ravel(getattr(self, key))
            if len(outside := rows[(rows < 0) | (rows >= self.grid[0])]):
                reason = f"is outside of the grid, whose rows are 0 to {self.grid[0] - 1}"
                raise ValueError(f"dataset.{key}={getattr(self, key)}: row {outside[0]} {reason}")
        places = tuple((row, x) for row in self.receiver_rows for x in range(0, self.grid[1], 2))
        survey = Survey(self.dx, self.dt, self.nt, self.freq, 1 / self.freq, places, float(fastest))
        self.objective = Inversion(survey, self.inner, self.outer, float(spread))

    def open(self) -> dict[str, FamilySplit]:
        """The splits `train`, `val` and `test`: each an endless row of models of its own.

        Raises:
            ValueError: what computes the waves is not installed.
        """
        if find_spec("deepwave") is None:
            raise ValueError(
                "dataset=ground: its waves are computed by deepwave, which is not installed. "
                "Install it with pip install 'fewstep[seismic]'"
            )
        return super().open()

    def settings(self) -> dict[str, Any]:
        """All but what is learned of the tasks; of a file what is in it."""
        content = None if self._models is None else sha256(self._models.tobytes()).hexdigest()
        return super().settings() | {"file": content, "inner": None, "outer": None}

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        model = self.model_of(draws)
        across = draws.images(0, spec.shots + spec.queries, self.grid[1])
        cells = np.array([(self.source_row, x) for x in across])
        shoot = self.objective.survey.shoot
        with torch.no_grad():
            heard = shoot(torch.from_numpy(model).float(), torch.from_numpy(cells)).numpy()
        (x, query_x), (y, query_y) = (np.split(part, [spec.shots]) for part in (cells, heard))
        return Made(x, y, query_x, query_y, {"velocity": model})

    def model_of(self, draws: Draws) -> np.ndarray:
        """That of a task, [nz, nx] float64 in m/s; of a file's, test tasks go through all."""
        if self._models is not None and draws.split == "test":
            return self._models[draws.index % len(self._models)]
        u = uniform(draws.words(CLASSES, 26))
        mean, spread = self.velocity
        return mean + spread * (layers if self.models == "layers" else anomalies)(u, self.grid)

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """The velocities to a mm/s, and the shots' columns."""
        across = draws.images(0, spec.shots + spec.queries, self.grid[1])
        model = np.round(self.model_of(draws) * 1000).astype("<i8")
        return model.tobytes() + np.array(across, "<i8").tobytes()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a ground is one; set it to 1")
        if (shots := spec.shots + spec.queries) > self.grid[1]:
            raise ValueError(
                f"shots.shots={spec.shots}: with {spec.queries} queries these are {shots} shots, "
                f"and the grid has {self.grid[1]} columns; the rest would be outside of it"
            )


def layers(u: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """[nz, nx] in -1..1 of 26 numbers in (0, 1): faster with depth, cut by a fault or not."""
    nz, nx = grid
    n, z, x = 3 + int(4 * u[0]), np.arange(nz)[:, None] / nz, np.arange(nx)[None] / nx
    throw = (0.1 + 0.15 * u[2]) * (1 if u[1] < 0.25 else -1 if u[1] < 0.5 else 0)
    z = z + throw * (x + 0.3 * (u[3] - 0.5) * z > 0.25 + 0.5 * u[4])
    z = z + 0.4 * (u[5] - 0.5) * (x - 0.5)
    z = z + 0.08 * u[6] * np.sin(2 * np.pi * (x * (0.5 + 1.5 * u[7]) + u[8]))
    deep = (np.arange(1, n) + u[10 : 10 + n - 1] - 0.5) / n
    values = -0.8 + 1.5 * (np.arange(n) + 0.5) / n + 0.5 * (u[20 : 20 + n] - 0.5)
    return np.clip(values[np.sum([z > at for at in deep], axis=0)], -1, 1)


def anomalies(u: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """The same with a gradient and three round anomalies in it."""
    nz, nx = grid
    z, x = np.arange(nz)[:, None] / nz, np.arange(nx)[None] / nx
    model = -0.8 + 1.4 * z + 0 * x
    for deep, across, size, strength, sign in u[:15].reshape(3, 5):
        away = np.hypot(z - 0.2 - 0.6 * deep, x - 0.15 - 0.7 * across) / (0.06 + 0.08 * size)
        model = model + np.copysign(0.2 + 0.3 * strength, sign - 0.5) * np.exp(-(away**2) / 2)
    return np.clip(model, -1, 1)
