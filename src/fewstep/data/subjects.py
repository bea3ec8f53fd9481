"""Brains that answer pictures each in its own way, to be read from a few answers.

A task is a subject: voxels whose answers to a picture's embedding z are beta = W z + b + noise,
with W mixed in a way of the subject's own and every voxel as noisy as it is. Its support are the
answers to n pictures, its queries answers to others, and what is asked is their embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.digest import source_sha256
from fewstep.data.numbers import normal
from fewstep.data.retrieval import Retrieval, Ridge
from fewstep.data.sampler import CLASSES, IMAGES, Draws, check_counts


MOST = 4096
"""Voxels of a task: attention looks at every pair of them."""


@dataclass
class Subjects:
    """Subjects of `fewest_voxels` to `voxels` voxels, seen in training with `fewest_images` to
    `shots.train_shots` pictures; nothing is read.

    A test subject has `test_voxels`, and answers to `shots` pictures.
    """

    d: int = 16
    """Numbers of a picture's embedding."""
    rank: int = 6
    """Of what a subject's own mixing of the embedding adds to it."""
    noise: float = 0.35
    """Of a voxel: its median, a factor e^0.8 being a standard deviation."""
    voxels: tuple[int, int] = (16, 64)
    """Fewest and most of a training subject, which is padded to the most."""
    test_voxels: int = 64
    fewest_images: int = 8
    """Of a training task, which is padded to `shots.train_shots`."""

    name: ClassVar[str] = "subjects"
    objective: Retrieval = field(default_factory=Retrieval, init=False)

    def __post_init__(self) -> None:
        self.voxels = (int(self.voxels[0]), int(self.voxels[1]))
        for key, value in (("d", self.d), ("rank", self.rank), ("test_voxels", self.test_voxels)):
            if value < 1:
                raise ValueError(f"dataset.{key}={value}: must be at least 1")
        if not self.noise > 0:
            raise ValueError(f"dataset.noise={self.noise}: must be above 0. For example 0.35")
        if self.fewest_images < 2:
            raise ValueError(
                f"dataset.fewest_images={self.fewest_images}: a voxel's answer to one picture says "
                "nothing. Use 2 or more"
            )
        fewest, most = self.voxels
        if not 1 <= fewest <= most <= MOST or self.test_voxels > MOST:
            raise ValueError(
                f"dataset.voxels=[{fewest},{most}], dataset.test_voxels={self.test_voxels}: must "
                f"be the fewest and the most, from 1 to {MOST}. For example dataset.voxels=[16,64]"
            )

    @property
    def answers(self) -> Mapping[str, Callable[[], nn.Module]]:
        """Beside the network: ridge regressions, all voxels alike or by their noise."""
        return {"ridge": partial(Ridge, False), "weighted_ridge": partial(Ridge, True)}

    def open(self) -> dict[str, SubjectSplit]:
        """The splits `train`, `val` and `test`: each an endless row of subjects of its own."""
        return {name: SubjectSplit(name, self) for name in ("train", "val", "test")}


class SubjectSplit:
    """Endless subjects of a family; implements `fewstep.core.types.Split`."""

    def __init__(
        self,
        name: str,
        family: Any,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name, self.family, self.device, self.dtype = name, family, torch.device(device), dtype

    def __repr__(self) -> str:
        return f"<{self.name} split of subjects: embeddings of {self.family.d}>"

    @property
    def data_sha256(self) -> str:
        """The digest of what makes the subjects; how many voxels of a test subject are looked at is
        not part of it."""
        f = self.family
        made = {"d": f.d, "rank": f.rank, "noise": f.noise, "voxels": list(f.voxels)}
        return source_sha256("subjects", {"version": 1, **made, "images": f.fewest_images})

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> SubjectSplit:
        """The same split with its episodes on a device and in a dtype."""
        return SubjectSplit(self.name, self.family, device, dtype)

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`: answers [n, V] and embeddings [n, D] of its support, and of its queries;
        in `extras` which `voxels` [V] and which `images` [n] are there, 1 or 0.

        Raises ValueError, as `check` does.
        """
        self.check(spec)
        draws = Draws(seed, self.name, index)
        beta, z = self.drawn(draws, spec)
        voxels, images = self.sizes(draws, spec)
        there = np.arange(beta.shape[1]) < voxels, np.arange(spec.shots) < images
        parts = [torch.from_numpy(v).to(self.device, self.dtype) for v in (beta, z, *there)]
        (beta, z), (voxel, image) = parts[:2], parts[2:]
        beta, asked = beta * voxel, spec.queries
        sx, sy = (rows[asked:] * image[:, None] for rows in (beta, z))
        batches, key = (torch.from_numpy(n) for n in (draws.batches(spec), draws.key()))
        rows = batches.to(self.device), key.to(self.device)
        extras = {"voxels": voxel, "images": image}
        return Episode(sx, sy, beta[:asked], z[:asked], *rows, extras)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """Answers and embeddings as little-endian float64, and how many pictures are there."""
        draws = Draws(seed, self.name, index)
        sizes = str(self.sizes(draws, spec)).encode()
        return b"".join(v.astype("<f8").tobytes() for v in self.drawn(draws, spec)) + sizes

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if a spec asks for several ways or one picture."""
        check_counts(spec)
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a task is one subject; set it to 1")
        fewest = self.family.fewest_images if self.name == "train" else 2
        if spec.shots < fewest:
            raise ValueError(
                f"shots={spec.shots}: a subject of the {self.name} split is seen with at least "
                f"{fewest} pictures. Raise shots.shots, shots.train_shots or eval.settings"
            )

    def sizes(self, draws: Draws, spec: EpisodeSpec) -> tuple[int, int]:
        """How many voxels and pictures of a task are there."""
        f = self.family
        if self.name != "train":
            return f.test_voxels, spec.shots
        words = draws.words(CLASSES, 2).tolist()
        return between(words[0], *f.voxels), between(words[1], f.fewest_images, spec.shots)

    def drawn(self, draws: Draws, spec: EpisodeSpec) -> tuple[np.ndarray, np.ndarray]:
        """Answers [Q + n, V] and embeddings [Q + n, D], those of queries first; what is to be left
        out of them is there as well."""
        f, n = self.family, spec.queries + spec.shots
        most = f.voxels[1] if self.name == "train" else f.test_voxels
        sizes = (2 * f.rank * f.d, most * f.d, most, most, n * f.d, n * most)
        mixing, seen, bias, level, z, noise = (_normals(draws, i, k) for i, k in enumerate(sizes))
        left, right = mixing.reshape(2, f.rank, f.d)
        own = np.eye(f.d) + left.T @ right / (f.rank * f.d) ** 0.5
        w = seen.reshape(most, f.d) @ own / (3 * f.d**0.5)
        z = z.reshape(n, f.d)
        noise = f.noise * np.exp(0.8 * level) * noise.reshape(n, most)
        return z @ w.T + bias + noise, z


def between(word: int, low: int, high: int) -> int:
    """A whole number from low to high, of 64 random bits."""
    return low + (word * (high - low + 1) >> 64)


def _normals(draws: Draws, stream: int, n: int) -> np.ndarray:
    """The first n of a stream; a longer row goes on from a shorter one."""
    words = draws.words(IMAGES + stream, 2 * n)
    return normal(np.concatenate([words[0::2], words[1::2]]))
