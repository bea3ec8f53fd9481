"""CIFAR-FS: CIFAR-100's classes split 64, 16 and 20 for few-shot tasks (Bertinetto et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor

from fewstep.core.objectives import Classification
from fewstep.data import cifar100
from fewstep.data.cifar100 import FOLDER, SIZE, TAR
from fewstep.data.classes import class_lists
from fewstep.data.classes.split import ClassSplit
from fewstep.data.images import pictures
from fewstep.data.images.preparation import Preparation
from fewstep.data.layouts import pickled_images, places, published
from fewstep.disk.cache.cache import cache_dir
from fewstep.disk.homes import expanded


STEMS = ("cifarfs",)
"""What the pickles' names begin with (`CIFAR_FS_train.pickle`), for `pickled_images`."""

LAYOUTS = (
    f"{FOLDER}/ or {TAR}; or one folder of images a class (apple/, ...), maybe in "
    f"cifar100/data/; or train/, val/ and test/ with those folders in them; or pickles "
    f"(CIFAR_FS_train.pickle, _val.pickle, _test.pickle)"
)


@dataclass
class CifarFS:
    """CIFAR-FS in colour, 32x32, 600 images a class, with the published split of its classes.

    The first `open` reads everything into the cache (184 MB). It raises FileNotFoundError where
    the data is missing and ValueError where it is damaged or incomplete.
    """

    root: str | Path | None = None
    """A folder (or archive) with CIFAR-100 or CIFAR-FS, as `LAYOUTS` says; it may also lie up to
    two levels below. Which split a class is in, the published lists say. None: CIFAR-100's python
    version is downloaded once into the user's cache (169 MB)."""

    split: str | None = None
    """`all`: all 100 classes are in the test split."""

    name: ClassVar[str] = "cifar_fs"
    objective: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        class_lists.check_split(self.split)

    @property
    def preparation(self) -> Preparation:
        """How a picture from elsewhere becomes one of these."""
        return Preparation(SIZE, 3)

    def open(self) -> dict[str, ClassSplit]:
        """The splits `train`, `val` and `test`."""
        return self._splits

    @cached_property
    def _splits(self) -> dict[str, ClassSplit]:
        parts = class_lists.published(self.name)
        if self.split == "all":
            parts = class_lists.together(parts)
        source = self._official()
        if source is not None:
            pixels, names, counts, digest = cifar100.store(source)
            class_lists.check_present(parts, names, str(source))
        else:
            pixels, names, counts, digest = self._others(parts)
        return class_lists.split_up(self.name, parts, names, counts, pixels, digest)

    def _others(self, parts: class_lists.Parts) -> tuple[Tensor, list[str], np.ndarray, str]:
        """Pixels, names, counts and digest out of folders or archives of images, or of pickles."""
        assert self.root is not None, "without one there is the official archive"
        root, where = pickled_images.folder_of(expanded(self.root, "dataset.root")), str(self.root)
        listed = sorted(name for part in parts.values() for name in part)
        if root.is_dir() and not published.complete(root, listed):
            files = pickled_images.find(places.near(root, frozenset(listed)), STEMS)
            if files:
                loaded = pickled_images.load(self.name, files, SIZE, _numbered())
                class_lists.check_present(parts, loaded[1], where)
                return loaded
        found = published.in_folders(root, listed)
        if not set(found).intersection(listed):
            raise ValueError(
                f"dataset.root='{where}': none of CIFAR-100's classes is there, nor two levels "
                f"below; lay it out as {LAYOUTS}"
            )
        class_lists.check_present(parts, found, where)
        pixels, counts, digest = pictures.load(self.name, found, SIZE, 3, "bilinear")
        return pixels, list(found), counts, digest

    def _official(self) -> Path | None:
        """CIFAR-100's folder or archive; None if `root` holds images or other pickles."""
        if self.root is None:
            return cifar100.downloaded()
        root = expanded(self.root, "dataset.root")
        if not root.exists():
            raise FileNotFoundError(
                f"dataset.root='{self.root}' does not exist; point it to the folder that holds "
                f"{FOLDER} or {TAR}, or set dataset.root=null to download it into {cache_dir()}"
            )
        if root.is_file():
            tar = root.name.endswith((".tar.gz", ".tgz"))
            return root if tar and (root.name == TAR or cifar100.is_official(root)) else None
        places = root, root / FOLDER, root / TAR
        return next((p for p in places if p.is_file() or (p / "train").is_file()), None)


def _numbered() -> dict[str, list[str]]:
    """Each split's class names by their number in CIFAR-100, which sorts them."""
    parts = class_lists.published(CifarFS.name)
    names = sorted(name for part in parts.values() for name in part)
    return {split: [n if n in part else "" for n in names] for split, part in parts.items()}
