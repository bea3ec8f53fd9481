"""Mini-ImageNet, with Ravi and Larochelle's classes: 64, 16 and 20 (paper section 2.4).

The authors resize with Pillow 4's default, which is nearest neighbour, and neither normalise nor
augment. Their copy held 59,981 images, 19 short of 600 a class.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from fewstep.core.objectives import Classification
from fewstep.data.classes import class_lists
from fewstep.data.classes.split import ClassSplit
from fewstep.data.images import pictures
from fewstep.data.images.decode import RESAMPLES
from fewstep.data.images.pictures import Classes
from fewstep.data.images.preparation import Preparation
from fewstep.data.layouts import pickled_images, places, published
from fewstep.disk.homes import expanded


SIZE = 84

STEMS = ("miniimagenetcache", "miniimagenetcategorysplit", "miniimagenet")
"""What the pickles' names begin with (`mini-imagenet-cache-train.pkl`), for `pickled_images`."""

LAYOUTS = (
    "one folder a class (n01532829/, ...); or train/, val/ and test/ with those folders in them; "
    "or images/ with train.csv, val.csv and test.csv beside it or in split/; or pickles "
    "(mini-imagenet-cache-train.pkl, -val.pkl, -test.pkl); or one zip file of the first two"
)


@dataclass
class MiniImageNet:
    """Mini-ImageNet in colour, 84x84, with the published split of its classes.

    ImageNet's terms allow no download: get the images from image-net.org (or a copy of the subset
    that you may use) and lay them out in one of the ways of `LAYOUTS`. The first `open` decodes
    them into the cache (1.3 GB). It raises FileNotFoundError where there is nothing and ValueError
    where classes are missing or a file is not an image.
    """

    root: str | Path | None = None
    """The folder (or zip file) with the images or pickles, as `LAYOUTS` says; they may also lie up
    to two levels below it. Which split a class is in, the published lists say."""
    resample: str = "nearest"
    """How to resize: nearest as the authors did, or bilinear, bicubic, lanczos (antialiased)."""

    split: str | None = None
    """`all`: all 100 classes are in the test split."""

    name: ClassVar[str] = "miniimagenet"
    objective: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        class_lists.check_split(self.split)
        if self.resample not in RESAMPLES:
            raise ValueError(
                f"dataset.resample='{self.resample}': must be one of {', '.join(RESAMPLES)}"
            )

    @property
    def preparation(self) -> Preparation:
        """How a picture from elsewhere becomes one of these."""
        return Preparation(SIZE, 3, self.resample)

    def open(self) -> dict[str, ClassSplit]:
        """The splits `train`, `val` and `test`."""
        return self._splits

    @cached_property
    def _splits(self) -> dict[str, ClassSplit]:
        root = expanded(self.root, "dataset.root") if self.root else None
        if root is None or not root.exists():
            raise FileNotFoundError(
                f"dataset.root={'null' if root is None else repr(str(self.root))}: Mini-ImageNet "
                f"has to be got by hand (from image-net.org, under its terms); then point "
                f"dataset.root to it, laid out as {LAYOUTS}"
            )
        root = pickled_images.folder_of(root)
        parts = class_lists.published(self.name)
        if self.split == "all":
            parts = class_lists.together(parts)
        listed = sorted(name for part in parts.values() for name in part)
        if files := self._pickles(root, listed):
            pixels, names, counts, digest = pickled_images.load(self.name, files, SIZE, {})
            class_lists.check_present(parts, names, str(self.root))
            return class_lists.split_up(self.name, parts, names, counts, pixels, digest)
        found = _find(root, listed)
        if not set(found).intersection(listed):
            raise ValueError(
                f"dataset.root='{self.root}': none of Mini-ImageNet's classes is there, nor two "
                f"levels below; lay it out as {LAYOUTS}"
            )
        class_lists.check_present(parts, found, str(self.root))
        found = {name: found[name] for name in listed}
        pixels, counts, digest = pictures.load(self.name, found, SIZE, 3, self.resample)
        return class_lists.split_up(self.name, parts, listed, counts, pixels, digest)

    def _pickles(self, root: Path, listed: list[str]) -> pickled_images.Files | None:
        """The pickles, unless there are images as well, which come first."""
        if not root.is_dir() or published.complete(root, listed) or published.table_folders(root):
            return None
        return pickled_images.find(places.near(root, frozenset(listed)), STEMS)


def _find(root: Path, listed: list[str]) -> Classes:
    """The classes in any layout of images. Which split a class is in, the published lists say."""
    beside = root / published.IMAGES
    if beside.is_dir() and (root / "train.csv").is_file():
        return published.in_tables([beside], root)
    if not published.complete(root, listed) and (found := published.table_folders(root)):
        return published.in_tables(*found)
    return published.in_folders(root, listed)
