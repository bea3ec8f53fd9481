"""Subjects of one's own: a file of answers and embeddings each, as of the Natural Scenes Dataset.

A folder of NumPy's .npz files, `betas` [n, V] and `embeddings` [n, D] in each, in the same order of
pictures. The last files by name are for meta-test, and pictures in them are left out of the others.
A task is some voxels of a subject and some of the pictures that it saw.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.family import FamilySplit
from fewstep.data.sampler import IMAGES, Draws
from fewstep.data.subjects import Brains, Retrieval, between
from fewstep.disk.array_files import UNREADABLE, reason
from fewstep.disk.homes import expanded


@dataclass(frozen=True)
class Recorded:
    """What a file holds."""

    name: str
    betas: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def read(cls, file: Path, d: int) -> Recorded:
        """
        Raises:
            ValueError: naming the file and what is the matter with it.
        """
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
                betas, z = (np.asarray(content[n], float) for n in ("betas", "embeddings"))
        except UNREADABLE as error:
            raise ValueError(
                f"{file}: must be an .npz file with betas [n, V] and embeddings [n, D] "
                f"({reason(error, file)})"
            ) from None
        if betas.ndim == 2 and not len(betas):
            raise ValueError(
                f"{file}: has no rows, of which each is a picture that the subject has seen. Leave "
                "the file out"
            )
        if betas.ndim != 2 or z.shape != (len(betas), d):
            raise ValueError(
                f"{file}: has betas of {list(betas.shape)} and embeddings of {list(z.shape)}: must "
                f"be [n, V] and [n, {d}] of the same pictures. Set dataset.d to what they have"
            )
        if not (np.isfinite(betas).all() and np.isfinite(z).all()):
            raise ValueError(f"{file}: holds values that are not finite. Leave these out")
        if still := np.flatnonzero(betas.max(0) == betas.min(0)).tolist():
            raise ValueError(
                f"{file}: {len(still)} voxels have no variance (the first is {still[0]}), and say "
                "nothing. Leave them out"
            )
        return cls(file.stem, betas, z)

    def pictures(self) -> list[bytes]:
        """What tells its pictures from others, in whatever precision they are written down."""
        return [row.tobytes() for row in (self.embeddings + 0.0).astype(np.float32)]


@dataclass
class SubjectFiles(Brains):
    """Subjects in files; the last `test_subjects` by name are for meta-test."""

    root: str
    """The folder."""
    d: int = 512
    """Numbers of a picture's embedding."""
    voxels: tuple[int, int] = (100, 200)
    """Fewest and most of a training task, which is padded to the most."""
    test_voxels: int = 200
    fewest_images: int = 8
    """Of a training task, which is padded to `shots.train_shots`."""
    test_subjects: int = 1

    name: ClassVar[str] = "subject_files"
    interval: ClassVar[str] = "closed"
    objective: Retrieval = field(default_factory=Retrieval, init=False)
    subjects: list[Recorded] = field(default_factory=list, init=False, repr=False)
    """Those of a split, once it is open."""
    everyone: list[Recorded] = field(default_factory=list, init=False, repr=False)
    """Those of all splits, which every split's digest is of."""

    def __post_init__(self) -> None:
        self.check_sizes("d")

    def open(self) -> dict[str, FamilySplit]:
        """The splits `train` and `test`.

        Raises:
            ValueError: a folder without files, too few of them, or a file that is none.
        """
        files = sorted(expanded(self.root, "dataset.root").glob("*.npz"))
        if not 1 <= self.test_subjects < len(files):
            raise ValueError(
                f"dataset.root='{self.root}', dataset.test_subjects={self.test_subjects}: has "
                f"{len(files)} .npz files, a subject each: must be more than those of meta-test"
            )
        found = [Recorded.read(file, self.d) for file in files]
        most = max(self.voxels[1], self.test_voxels)
        for one in found:
            if one.betas.shape[1] < most:
                raise ValueError(
                    f"{one.name}.npz: has {one.betas.shape[1]} voxels, and dataset.voxels and "
                    f"dataset.test_voxels ask for {most}. Lower them"
                )
        cut = len(found) - self.test_subjects
        parts = {"train": self._new(found[:cut], found[cut:]), "test": found[cut:]}
        self.everyone = [one for part in parts.values() for one in part]
        return {name: FamilySplit(name, self._of(some)) for name, some in parts.items()}

    def _new(self, train: list[Recorded], test: list[Recorded]) -> list[Recorded]:
        """The training subjects without the pictures that those of meta-test have seen, which are
        what meta-test asks for."""
        asked, kept, gone = {picture for one in test for picture in one.pictures()}, [], 0
        for one in train:
            new = np.array([picture not in asked for picture in one.pictures()])
            if not new.any():
                raise ValueError(
                    f"{one.name}.npz: all its {len(new)} pictures are in files for meta-test as "
                    "well, which asks for these, so that none is left to train on. Give it "
                    "pictures of its own, or leave it out"
                )
            gone += int((~new).sum())
            kept.append(Recorded(one.name, one.betas[new], one.embeddings[new]))
        if gone:
            warnings.warn(
                f"dataset.root='{self.root}': {gone} of {gone + sum(len(s.betas) for s in kept)} "
                "rows of the training files are of pictures that files for meta-test have as well, "
                "and are left out, so that meta-test asks for new ones",
                stacklevel=3,
            )
        return kept

    def settings(self) -> dict[str, Any]:
        """The subjects' numbers."""
        sums = {
            s.name: hashlib.sha256(s.betas.tobytes() + s.embeddings.tobytes()).hexdigest()
            for s in self.everyone
        }
        return {"version": self.version, **sums}

    def check(self, spec: EpisodeSpec, split: str) -> None:
        super().check(spec, split)
        fewest = min(self.subjects, key=lambda s: len(s.betas))
        if len(fewest.betas) < spec.shots + spec.queries:
            raise ValueError(
                f"{fewest.name}.npz: has {len(fewest.betas)} pictures, but shots + queries = "
                f"{spec.shots} + {spec.queries} are needed. Lower them"
            )

    def drawn(self, draws: Draws, spec: EpisodeSpec) -> tuple[np.ndarray, np.ndarray]:
        """Of some voxels and pictures of a subject."""
        word = int(draws.words(IMAGES + 2, 1)[0])
        subject = self.subjects[between(word, 0, len(self.subjects) - 1)]
        pictures = draws.images(0, spec.queries + spec.shots, len(subject.betas))
        voxels = draws.images(1, self.most(draws), subject.betas.shape[1])
        return subject.betas[pictures][:, voxels], subject.embeddings[pictures]

    def _of(self, subjects: list[Recorded]) -> SubjectFiles:
        some = copy.copy(self)
        some.subjects = subjects
        return some
