"""Brains that answer pictures each in its own way, to be read from a few answers.

A task is a subject: voxels whose answers to a picture's embedding z are beta = W z + b + noise,
with W mixed in a way of the subject's own and every voxel as noisy as it is. Its support are the
answers to n pictures, its queries answers to others, and what is asked is their embedding.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.objectives import Regression, wide
from fewstep.core.ridge import Ridge
from fewstep.core.types import EpisodeSpec, Metrics
from fewstep.data.family import Family, Made
from fewstep.data.numbers import normal
from fewstep.data.options import check_count
from fewstep.data.sampler import CLASSES, IMAGES, Draws


MOST = 4096
"""Voxels of a task: attention looks at every pair of them."""
TEMPERATURE, SHARE = 0.2, 0.1
"""Of the contrast, and how much of it there is beside the cosine."""


@dataclass(frozen=True)
class Retrieval(Regression):
    """One minus the cosine to the picture's embedding, and a little of telling the queries apart:
    the accuracy is how often a query's own picture is the nearest of all of them."""

    unit: ClassVar[str] = "1 - cosine, and contrast"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """[B] of outputs and targets [B, D]."""
        likeness, own = _likeness(outputs, targets)
        both = (
            F.cross_entropy(m / TEMPERATURE, own, reduction="none") for m in (likeness, likeness.T)
        )
        return 1 - likeness.diagonal() + SHARE * sum(both) / 2

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        """`loss`, and `acc`, the fraction of queries whose picture is found."""
        likeness, own = _likeness(wide(outputs), wide(targets))
        found = (likeness.argmax(1) == own).to(likeness.dtype).mean()
        return {"loss": self.inner_loss(wide(outputs), wide(targets)).mean(), "acc": found}


def _likeness(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of each answer to each picture [B, B], and whose each is."""
    likeness = F.normalize(outputs, dim=1) @ F.normalize(targets, dim=1).T
    return likeness, torch.arange(len(targets), device=targets.device)


class Brains(Family):
    """Subjects from wherever their answers come; a subclass says how many voxels and pictures they
    have, and draws some."""

    voxels: tuple[int, int]
    """Fewest and most of a training subject, which is padded to the most."""
    test_voxels: int
    fewest_images: int
    """Of a training task, which is padded to `shots.train_shots`."""

    @property
    def answers(self) -> Mapping[str, Callable[[], nn.Module]]:
        """Beside the network: ridge regressions, all voxels alike or by their noise."""
        return {"ridge": partial(Ridge, False), "weighted_ridge": partial(Ridge, True)}

    def check_sizes(self, *keys: str) -> None:
        """Hold the numbers of voxels and pictures against their limits, and those of other keys."""
        for key in (*keys, "test_voxels"):
            check_count(key, getattr(self, key), getattr(type(self), key))
        if self.fewest_images < 2:
            raise ValueError(
                f"dataset.fewest_images={self.fewest_images}: a voxel's answer to one picture says "
                "nothing. Use 2 or more"
            )
        check_count("fewest_images", self.fewest_images, 8)
        voxels = [*self.voxels] if isinstance(self.voxels, (list, tuple)) else [self.voxels]
        whole = len(voxels) == 2 and all(type(n) is int for n in voxels)
        if not whole or not 1 <= voxels[0] <= voxels[1] <= MOST or self.test_voxels > MOST:
            raise ValueError(
                f"dataset.voxels={voxels}, dataset.test_voxels={self.test_voxels}: must "
                f"be the fewest and the most, from 1 to {MOST}. For example dataset.voxels=[16,64]"
            )
        self.voxels = (voxels[0], voxels[1])

    @abstractmethod
    def drawn(self, draws: Draws, spec: EpisodeSpec) -> tuple[np.ndarray, np.ndarray]:
        """Answers [Q + n, V] and embeddings [Q + n, D], those of queries first; what is to be left
        out of them is there as well."""

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """Answers and embeddings, 0 where a voxel or a picture is left out; in `extras` which
        `voxels` [V] and which `images` [n] are there, 1 or 0."""
        (beta, z), asked = self.drawn(draws, spec), spec.queries
        voxels, images = self.sizes(draws, spec)
        voxel = (np.arange(beta.shape[1]) < voxels).astype(float)
        image = (np.arange(spec.shots) < images).astype(float)
        beta = beta * voxel
        x, y = (rows[asked:] * image[:, None] for rows in (beta, z))
        return Made(x, y, beta[:asked], z[:asked], {"voxels": voxel, "images": image})

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """Answers and embeddings as little-endian float64, and how many pictures are there."""
        sizes = str(self.sizes(draws, spec)).encode()
        return b"".join(v.astype("<f8").tobytes() for v in self.drawn(draws, spec)) + sizes

    def check(self, spec: EpisodeSpec, split: str) -> None:
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a task is one subject; set it to 1")
        fewest = self.fewest_images if split == "train" else 2
        if spec.shots < fewest:
            raise ValueError(
                f"shots={spec.shots}: a subject of the {split} split is seen with at least "
                f"{fewest} pictures. Raise shots.shots, shots.train_shots or eval.settings"
                f"{f', or lower dataset.fewest_images={fewest}' * (split == 'train')}"
            )

    def sizes(self, draws: Draws, spec: EpisodeSpec) -> tuple[int, int]:
        """How many voxels and pictures of a task are there."""
        if draws.split != "train":
            return self.test_voxels, spec.shots
        words = draws.words(CLASSES, 2).tolist()
        return between(words[0], *self.voxels), between(words[1], self.fewest_images, spec.shots)

    def most(self, draws: Draws) -> int:
        """Voxels that a task is padded to."""
        return self.voxels[1] if draws.split == "train" else self.test_voxels


@dataclass
class Subjects(Brains):
    """Subjects with as many voxels as `voxels` spans, seen in training with `fewest_images` to
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
        self.check_sizes("d", "rank")
        if not self.noise > 0:
            raise ValueError(f"dataset.noise={self.noise}: must be above 0. For example 0.35")

    def settings(self) -> dict[str, Any]:
        """All but how many voxels of a test subject are looked at."""
        own = super().settings()
        del own["test_voxels"]
        return own | {"images": own.pop("fewest_images")}

    def drawn(self, draws: Draws, spec: EpisodeSpec) -> tuple[np.ndarray, np.ndarray]:
        """By random numbers of their own each, so that more of one shift none of another."""
        n, most, d = spec.queries + spec.shots, self.most(draws), self.d
        sizes = (2 * self.rank * d, most * d, most, most, n * d, n * most)
        mixing, seen, bias, level, z, noise = (_normals(draws, i, k) for i, k in enumerate(sizes))
        left, right = mixing.reshape(2, self.rank, d)
        own = np.eye(d) + left.T @ right / (self.rank * d) ** 0.5
        w = seen.reshape(most, d) @ own / (3 * d**0.5)
        z = z.reshape(n, d)
        noise = self.noise * np.exp(0.8 * level) * noise.reshape(n, most)
        return z @ w.T + bias + noise, z


def between(word: int, low: int, high: int) -> int:
    """A whole number from low to high, of 64 random bits."""
    return low + (word * (high - low + 1) >> 64)


def _normals(draws: Draws, stream: int, n: int) -> np.ndarray:
    """The first n of a stream; a longer row goes on from a shorter one."""
    words = draws.words(IMAGES + stream, 2 * n)
    return normal(np.concatenate([words[0::2], words[1::2]]))
