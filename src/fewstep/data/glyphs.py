"""The embedded default dataset: any number of procedural characters, and nothing to download.

About as hard as Omniglot for a nearest neighbour on raw pixels (`strokes` has the dials). Character
c of a seed is a function of (seed, c) alone: it is the same whether there are 1,000 or 100,000.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from fewstep.core.objectives import Classification
from fewstep.data import strokes
from fewstep.data.classes.class_lists import check_split
from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import source_sha256
from fewstep.data.images.parallel import in_order
from fewstep.data.images.preparation import Preparation
from fewstep.data.options import MOST, check_count
from fewstep.disk.cache.cache import Content, cached


PROGRAMS = 0
"""The stream of the characters; stream 1 + d is that of everybody's drawing d."""

LIMITS = {"classes": (3, 1 << 32), "drawings": (1, MOST), "size": (8, 1 << 15)}
LIMITS |= {"seed": (0, (1 << 64) - 1)}
"""The least and the most of each; a seed is a word of Philox's key."""

CHUNK = 1024
"""Drawings made at once: small enough for the processor's cache."""


@dataclass
class Glyphs:
    """Stroke characters, `size` x `size`, ink 255 on 0; rendered once, then memory-mapped.

    The first `open` renders (a fraction of a second for the default, with a progress bar where it
    takes longer) and takes classes * drawings * size**2 bytes of disk in the cache.
    """

    classes: int = 1000
    """Characters in all splits together."""
    drawings: int = 20
    """Drawings of each character."""
    size: int = 28
    """Side of an image in pixels."""
    seed: int = 0
    """Which characters there are; not the run's seed."""
    val: float = 0.1
    """The fraction of the classes that is the validation split."""
    test: float = 0.2
    """The fraction of the classes that is the test split; the rest is for training."""
    split: str | None = None
    """`all`: every character is in the test split."""

    name: ClassVar[str] = "glyphs"
    objective: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        check_split(self.split)
        for key, (least, most) in LIMITS.items():
            check_count(key, getattr(self, key), getattr(type(self), key), least, most)
        for key in ("val", "test"):
            if not 0 < getattr(self, key) < 1:
                raise ValueError(
                    f"dataset.{key}={getattr(self, key)}: must be a fraction of the classes "
                    f"between 0 and 1"
                )
        if self.val + self.test >= 1:
            raise ValueError(
                f"dataset.val={self.val} and dataset.test={self.test} leave no class to train on; "
                f"their sum must be below 1"
            )

        if self.split != "all" and (self._parts["train"][1] or 0) < 1:
            raise ValueError(
                f"dataset.val={self.val} and dataset.test={self.test} leave none of "
                f"dataset.classes={self.classes} to train on. Lower them, or give more classes"
            )

    @property
    def preparation(self) -> Preparation:
        """How a picture from elsewhere becomes one of these."""
        return Preparation(self.size, 1, paper="dark")

    def open(self) -> dict[str, ClassSplit]:
        """The splits `train`, `val` and `test`: consecutive classes, which are all alike."""
        return self._splits

    @property
    def trained_on(self) -> list[str]:
        """The names of the training classes, of which none is drawn."""
        return self._names[slice(*self._parts.get("train", (0, 0)))]

    @property
    def _names(self) -> list[str]:
        """Of all classes: another seed's are other characters, and a name stands for one."""
        of = "" if self.seed == 0 else f" of seed {self.seed}"
        return [f"glyph{c}{of}" for c in range(self.classes)]

    @property
    def _parts(self) -> dict[str, tuple[int, int | None]]:
        """The stretch of the classes that each split is."""
        val, test = (max(1, round(f * self.classes)) for f in (self.val, self.test))
        train = self.classes - val - test
        if self.split == "all":
            return {"test": (0, None)}
        return {"train": (0, train), "val": (train, train + val), "test": (-test, None)}

    @cached_property
    def _splits(self) -> dict[str, ClassSplit]:
        settings = {"layout": 1, "classes": self.classes, "drawings": self.drawings}
        settings |= {"size": self.size, "seed": self.seed}
        pixels, _ = cached(self.name, settings, self._render)
        every = np.arange(self.classes)
        digest = source_sha256(self.name, settings)
        return {
            name: ClassSplit(
                self.name,
                name,
                torch.from_numpy(pixels),
                starts=every * self.drawings,
                counts=np.full(self.classes, self.drawings),
                class_names=self._names,
                classes=every[first:end],
                digest=digest,
            )
            for name, (first, end) in self._parts.items()
        }

    def _render(self) -> Content:
        step = max(1, CHUNK // self.drawings)

        def some(first: int) -> np.ndarray:
            last = min(first + step, self.classes)
            images = glyphs(self.seed, first, last, self.drawings, self.size)
            return images.reshape(-1, 1, self.size, self.size)

        pieces = in_order(some, range(0, self.classes, step), "rendering glyphs")
        shape = self.classes * self.drawings, 1, self.size, self.size
        return Content(shape, pieces, source="a program")


def glyphs(seed: int, first: int, last: int, drawings: int, size: int) -> np.ndarray:
    """Characters first..last-1 of a seed: [last - first, drawings, size, size] uint8."""
    programs = strokes.programs(_words(seed, PROGRAMS, first, last, strokes.PROGRAM_WORDS))
    words = [
        _words(seed, PROGRAMS + 1 + d, first, last, strokes.DRAWING_WORDS) for d in range(drawings)
    ]
    return strokes.draw(programs, np.stack(words, axis=1), size)


def _words(seed: int, stream: int, first: int, last: int, each: int) -> np.ndarray:
    """The random words of characters first..last-1 in a stream: [last - first, each] uint64.

    Philox makes 4 words a count, so each character owns a stretch of the counter.
    """
    key = np.array([seed, 0x676C79706873], dtype=np.uint64)  # "glyphs"
    counter = np.array([first * each // 4, stream, 0, 0], dtype=np.uint64)
    generator = np.random.Philox(key=key, counter=counter)
    return generator.random_raw((last - first) * each).reshape(last - first, each)
