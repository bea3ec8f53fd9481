"""Mini-ImageNet, with Ravi and Larochelle's classes: 64, 16 and 20 (paper section 2.4).

The authors resize with Pillow 4's default, which is nearest neighbour, and neither normalise nor
augment. Their copy held 59,981 images, 19 short of 600 a class.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from fewstep.data import class_lists, pictures
from fewstep.data.decode import RESAMPLES
from fewstep.data.images import ImageSplit
from fewstep.data.pictures import Classes, Picture
from fewstep.data.tasks import Classification


SIZE = 84

LAYOUTS = (
    "one folder a class (n01532829/, ...); or train/, val/ and test/ with those folders in them; "
    "or images/ with train.csv, val.csv and test.csv beside it; or one zip file of the first kind"
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
    """The folder (or zip file) with the images."""
    resample: str = "nearest"
    """How to resize: nearest as the authors did, or bilinear, bicubic, lanczos (antialiased)."""

    split: str | None = None
    """`all`: all 100 classes are in the test split."""

    name: ClassVar[str] = "miniimagenet"
    task: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        class_lists.check_split(self.split)
        if self.resample not in RESAMPLES:
            raise ValueError(
                f"dataset.resample='{self.resample}': must be one of {', '.join(RESAMPLES)}"
            )

    def open(self) -> dict[str, ImageSplit]:
        """The splits `train`, `val` and `test`."""
        return self._splits

    @cached_property
    def _splits(self) -> dict[str, ImageSplit]:
        root = Path(self.root).expanduser() if self.root else None
        if root is None or not root.exists():
            raise FileNotFoundError(
                f"dataset.root={'null' if root is None else repr(str(self.root))}: Mini-ImageNet "
                f"has to be got by hand (from image-net.org, under its terms); then point "
                f"dataset.root to it, laid out as {LAYOUTS}"
            )
        parts = class_lists.published(self.name)
        if self.split == "all":
            parts = class_lists.together(parts)
        found = _find(root)
        class_lists.check_present(parts, found, str(self.root))
        listed = sorted(name for part in parts.values() for name in part)
        found = {name: found[name] for name in listed}
        pixels, counts, digest = pictures.load(self.name, found, SIZE, 3, self.resample)
        return class_lists.split_up(self.name, parts, listed, counts, pixels, digest)


def _find(root: Path) -> Classes:
    """The classes in any of the layouts. Which split a class is in, the published lists say."""
    if root.is_dir() and (root / "images").is_dir() and (root / "train.csv").is_file():
        return _from_tables(root)
    if all((root / split).is_dir() for split in class_lists.SPLITS):
        found: Classes = {}
        for split in class_lists.SPLITS:
            found |= pictures.find_classes(root / split)
        return found
    return pictures.find_classes(root)


def _from_tables(root: Path) -> Classes:
    """Ravi and Larochelle's layout: rows of filename and label, all images in one folder."""
    found: Classes = {}
    for split in class_lists.SPLITS:
        table = root / f"{split}.csv"
        if not table.is_file():
            raise FileNotFoundError(f"{table} is missing; the layout has train, val and test.csv")
        with table.open(newline="") as file:
            rows = csv.DictReader(file)
            if not {"filename", "label"} <= set(rows.fieldnames or ()):
                raise ValueError(f"{table}: its first line must be 'filename,label'")
            for row in rows:
                image = root / "images" / Path(row["filename"]).name
                if not image.is_file():
                    raise ValueError(f"{table} lists {image}, which does not exist")
                found.setdefault(row["label"], []).append(Picture(image))
    return {label: sorted(images, key=str) for label, images in sorted(found.items())}
