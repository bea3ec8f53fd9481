"""Omniglot as the authors prepare it (paper section 2.4, traps 15 to 17).

1,623 characters of 50 alphabets, 20 drawings each, by Lake, Salakhutdinov and Tenenbaum (2015).
The split ignores alphabets. Pixels are 0 (ink) and 1 (paper), as in the files, never inverted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from fewstep.core.objectives import Classification
from fewstep.data import omniglot_drawings as drawings
from fewstep.data.classes.grouped import GroupedSplit
from fewstep.data.classes.split import ClassSplit
from fewstep.data.counts import whole
from fewstep.data.digest import data_sha256
from fewstep.data.images.preparation import Preparation
from fewstep.data.omniglot_drawings import ROTATIONS, SIZE
from fewstep.data.omniglot_names import characters, evaluation_alphabets, turned
from fewstep.disk.archives import archive
from fewstep.disk.cache.cache import Content, cache_dir, cached, fingerprint, folder_fingerprint
from fewstep.disk.downloads import fetched
from fewstep.disk.homes import expanded


PARTS = {"images_background": 964, "images_evaluation": 659}
"""The two archives and their numbers of characters."""

DRAWINGS = 20

SPLITS = {
    "authors": {"train": (0, 1200), "test": (1200, 1623)},
    "with_val": {"train": (0, 1100), "val": (1100, 1200), "test": (1200, 1623)},
    "all": {"test": (0, 1623)},
}
"""Which stretch of the shuffled characters each split is; `test` is the same in the first two."""
BACKGROUND = "background"
"""The split by alphabets, as the data is published and the Omniglot challenge has it."""


@dataclass
class Omniglot:
    """Omniglot, 28x28, in tasks of any number of characters.

    `open` takes some seconds the first time and milliseconds from then on. It raises
    FileNotFoundError where the data is missing and ValueError where it is damaged or incomplete.
    """

    root: str | Path | None = None
    """A folder with `images_background` and `images_evaluation`, as zip files or extracted, or
    with an `omniglot-py` folder that has them. None: downloaded once into the user's cache."""
    split: str = "authors"
    """`authors`: 1,200 characters to train and 423 to test. `with_val`: 1,100, 100 and the same
    423; the validation characters come out of the training ones, before rotations. `background`:
    the 30 alphabets of `images_background` to train and the 20 of `images_evaluation` to test.
    `all`: all 1,623 to test, and none to train."""
    split_seed: int = 0
    """Shuffles the characters before the split. Not the run's seed: with another one, a
    checkpoint would be tested on characters that it was trained on (trap 17)."""
    rotations: bool = True
    """Characters turned by 90, 180 and 270 degrees are training classes of their own (trap 16)."""
    within: str | None = None
    """`alphabet`: each task is of one alphabet, and its characters are turned alike."""

    name: ClassVar[str] = "omniglot"
    preparation: ClassVar[Preparation] = Preparation(
        SIZE, 1, "nearest", cut=True, native=105, paper="light"
    )
    objective: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        known = (*SPLITS, BACKGROUND)
        if self.split not in known:
            raise ValueError(f"dataset.split='{self.split}': must be one of {', '.join(known)}")
        if self.within not in (None, "alphabet"):
            raise ValueError(
                f"dataset.within='{self.within}': must be alphabet, or null for tasks of "
                "characters of any alphabets"
            )

    def open(self) -> dict[str, ClassSplit]:
        """The splits by name: `train`, `val` (in `with_val` only) and `test`."""
        return self._splits

    @property
    def trained_on(self) -> list[str]:
        """The names of the training classes, which need no drawing."""
        names = turned(characters())
        return [names[i] for i in self._parts(names).get("train", [])]

    @cached_property
    def _splits(self) -> dict[str, ClassSplit]:
        pixels, names, digest = self._store()
        classes, splits = len(names), {}
        for name, ids in self._parts(names).items():
            splits[name] = (GroupedSplit if self.within else ClassSplit)(
                self.name,
                name,
                pixels,
                starts=np.arange(classes) * DRAWINGS,
                counts=np.full(classes, DRAWINGS),
                class_names=names,
                classes=ids,
                scale=1.0,
                digest=digest,
            )
        return splits

    def _parts(self, names: list[str]) -> dict[str, np.ndarray]:
        """The ids of the classes of each split; `names` are those of all classes."""
        if self.split != BACKGROUND:
            order = np.array(character_order(self.split_seed))
            parts = {part: order[first:end] for part, (first, end) in SPLITS[self.split].items()}
        else:
            alphabets = [name.split("/")[0] for name in names[:: len(ROTATIONS)]]
            new = np.isin(alphabets, evaluation_alphabets())
            parts = {"train": np.flatnonzero(~new), "test": np.flatnonzero(new)}
        return {part: self._turns(numbers, part == "train") for part, numbers in parts.items()}

    def _turns(self, numbers: np.ndarray, train: bool) -> np.ndarray:
        """The ids of the classes that characters are, in the rotations of the split."""
        turns = len(ROTATIONS) if train and self.rotations else 1
        return (numbers[:, None] * len(ROTATIONS) + np.arange(turns)).reshape(-1)

    def _store(self) -> tuple[torch.Tensor, list[str], str]:
        """All characters in all rotations [1623 * 4 * 20, 1, 28, 28], a name for each character
        and rotation, and the digest of the characters."""
        sources = self._sources()
        marks = [fingerprint(s) if s.is_file() else folder_fingerprint(s) for s in sources]
        pixels, about = cached(self.name, {"layout": 2, "files": marks}, lambda: read(sources))
        found = about["characters"]
        digest = data_sha256(found, [DRAWINGS] * len(found), about["sha256"])
        return torch.from_numpy(pixels), turned(found), digest

    def _sources(self) -> list[Path]:
        """The zip file or folder of each part."""
        if self.root is None:
            return [_downloaded(part) for part in PARTS]
        root = expanded(self.root, "dataset.root")
        sources = []
        for part in PARTS:
            places = root / part, root / "omniglot-py" / part
            endings = *archive.ENDINGS, ""
            found = [path for p in places for e in endings if (path := Path(f"{p}{e}")).exists()]
            if not found:
                looked = ", ".join(f"{place}.zip, {place}" for place in places)
                raise FileNotFoundError(
                    f"dataset.root='{self.root}': none of {looked} "
                    f"exists; point dataset.root to the folder that holds {part}.zip, or set "
                    f"dataset.root=null to download Omniglot into {cache_dir()}"
                )
            sources.append(found[0])
        return sources


def character_order(split_seed: int) -> list[int]:
    """The authors' shuffle of the 1,623 characters: the first 1,200 are theirs to train on."""
    order = list(range(sum(PARTS.values())))
    random.Random(whole("split_seed", split_seed)).shuffle(order)
    return order


def read(sources: list[Path]) -> Content:
    """All drawings, characters sorted by alphabet and name over both parts.

    Raises ValueError, naming the part, unless every character is there with its 20 drawings.
    """
    found: dict[str, list[np.ndarray]] = {}
    for source, (part, expected) in zip(sources, PARTS.items(), strict=True):
        own = drawings.characters(source)
        odd = [f"{name} has {len(d)}" for name, d in own.items() if len(d) != DRAWINGS]
        if len(own) != expected or odd:
            raise ValueError(
                f"{source}: {part} must hold {expected} characters of {DRAWINGS} drawings, but "
                f"has {len(own)}{''.join(f', {o}' for o in odd[:3])}; fetch it again"
            )
        found |= own
    names = sorted(found, key=lambda name: name.split("/"))
    each = len(ROTATIONS) * DRAWINGS
    shape = len(names) * each, 1, SIZE, SIZE
    pieces = (drawings.rotated(found[name]) for name in names)
    where = ", ".join(str(source.absolute()) for source in sources)
    return Content(shape, pieces, {"characters": names}, [each] * len(names), where)


def _downloaded(part: str) -> Path:
    """The zip file of a part in the user's cache."""
    from torchvision.datasets import Omniglot as Official

    file, md5 = f"{part}.zip", Official.zips_md5[part]
    return fetched("omniglot-py", file, f"{Official.download_url_prefix}/{file}", md5, "Omniglot")
