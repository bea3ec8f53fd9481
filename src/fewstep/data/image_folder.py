"""One's own images: one folder a class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from fewstep.core.objectives import Classification
from fewstep.data.classes import class_lists
from fewstep.data.classes.split import ClassSplit
from fewstep.data.images import pictures
from fewstep.data.images.decode import MODES, RESAMPLES, USUAL, Reading
from fewstep.data.images.pictures import Classes
from fewstep.data.images.preparation import Preparation
from fewstep.data.layouts import layouts
from fewstep.data.layouts.given_splits import Found
from fewstep.data.options import is_mapping, is_text, must_be, some
from fewstep.disk.bad_files import BadFiles
from fewstep.disk.homes import expanded


@dataclass
class ImageFolder:
    """Images of any size and kind, sorted into classes, as squares of `size` pixels.

    They are squeezed to a square, turned as their EXIF tag says, and put on white where they are
    transparent; of several frames or pages the first one counts. The first `open` decodes
    everything into the cache (size**2 * channels bytes an image); it raises ValueError for an
    empty class and for files that cannot be used, the first twenty by name and how many.
    """

    root: str | Path
    """A folder with one folder a class; or with train, val and test folders of these, whose split
    is kept; or images with a labels.csv (filename, label, maybe split); or a zip or tar (.tar.gz,
    .tar.bz2, .tar.xz) of one; or a folder with one such archive a class. Any of them may lie
    inside other folders."""
    size: int = 84
    """Side of an image in pixels."""
    channels: int = 3
    """3 for colour, 1 for grey."""
    resample: str = "bilinear"
    """How to resize: nearest, bilinear, bicubic or lanczos; all but the first antialias."""
    val: float = 0.15
    """The fraction of the classes that is the validation split; 0 for none. Where the data comes
    with a split, only 0 counts: it leaves that split out."""
    test: float = 0.2
    """The fraction of the classes that is the test split; 0 for none, as with `val`."""
    split_seed: int = 0
    """Shuffles the classes before they are split by fractions; not the run's seed."""
    split_files: Mapping[str, str | Path] | None = None
    """Instead of fractions, or of the split that the data comes with: text files or tables named
    by split, {train: PATH, val: PATH, test: PATH}, one class name a line. Classes in none of them
    are left out."""
    split: str | None = None
    """`all`: every class is in the test split, whatever the fractions and lists say."""
    name: str = "image_folder"
    """The dataset's name in records and messages."""
    skip: Sequence[str] = ()
    """Endings of files that are no images and lie among them: [.txt, .json]. Without it such a
    file is an error: an image that cannot be read must not be missed."""
    white: float | None = None
    """What is white in files of more than 8 bits; null: what they say themselves (see `depth`)."""
    max_megapixels: float = USUAL.max_megapixels
    """The most pixels an image may have, in millions."""
    max_file_mb: float = USUAL.max_file_mb
    """The most a file may take, unpacked, in MB."""

    objective: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        if not self.root:
            raise ValueError("dataset.root is empty: point it to a folder with one folder a class")
        if self.size < 1:
            raise ValueError(f"dataset.size={self.size}: must be at least 1 pixel")
        if self.channels not in MODES:
            raise ValueError(f"dataset.channels={self.channels}: must be 1 (grey) or 3 (colour)")
        if self.resample not in RESAMPLES:
            raise ValueError(
                f"dataset.resample='{self.resample}': must be one of {', '.join(RESAMPLES)}"
            )
        for key in ("white", "max_megapixels", "max_file_mb"):
            value = getattr(self, key)
            if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
                raise ValueError(f"dataset.{key}={value}: must be a number above 0")
        if isinstance(self.skip, str):
            raise ValueError(
                f"dataset.skip={self.skip}: must be a list of endings, as [{self.skip}]"
            )
        must_be("skip", self.skip, some(is_text, 0), "a list of endings", "[.txt,.json]")
        if self.split_files is not None:
            lists = "the lists of classes by split, or null"
            usual = "'{train: train.txt, test: test.txt}'"
            must_be("split_files", self.split_files, is_mapping, lists, usual)
        class_lists.check_split(self.split)
        for key in ("val", "test"):
            if not 0 <= getattr(self, key) < 1:
                raise ValueError(
                    f"dataset.{key}={getattr(self, key)}: must be a fraction of the classes, at "
                    f"least 0 and below 1"
                )

    @property
    def preparation(self) -> Preparation:
        """How a picture from elsewhere becomes one of these."""
        return Preparation(self.size, self.channels, self.resample)

    def open(self) -> dict[str, ClassSplit]:
        """The splits by name: `train`, and `val` and `test` unless they are empty."""
        return self._splits

    @cached_property
    def _splits(self) -> dict[str, ClassSplit]:
        found = layouts.find(expanded(self.root, "dataset.root"))
        parts = self._parts(found)
        listed = {name for part in parts.values() for name in part}
        classes = {name: files for name, files in found.classes.items() if name in listed}
        pixels, counts, digest = self._loaded(self._kept(classes))
        return class_lists.split_up(self.name, parts, list(classes), counts, pixels, digest)

    def _parts(self, found: Found) -> class_lists.Parts:
        """The class names of each split: as listed, as the data comes, or shuffled."""
        if self.split == "all":
            return {"test": list(found.classes)}
        if self.split_files:
            return class_lists.from_files(self.split_files, found.classes, str(self.root))
        if found.clash:
            raise ValueError(found.clash)
        if found.parts:
            left_out = {key for key in ("val", "test") if not getattr(self, key)}
            return {split: part for split, part in found.parts.items() if split not in left_out}
        return class_lists.shuffled(found.classes, self.split_seed, self.val, self.test)

    def _loaded(self, classes: Classes) -> tuple[Tensor, np.ndarray, str]:
        reading = Reading(self.white, self.max_megapixels, self.max_file_mb)
        try:
            return pictures.load(
                self.name, classes, self.size, self.channels, self.resample, reading
            )
        except BadFiles as bad:
            if not bad.endings:
                raise
            skip = ",".join(bad.endings)
            raise ValueError(f"{bad}; or leave such files out with dataset.skip=[{skip}]") from bad

    def _kept(self, found: Classes) -> Classes:
        """The classes without the files that `skip` leaves out."""
        endings = tuple(ending.lower() for ending in self.skip)
        if not endings:
            return found
        return {
            name: [file for file in files if not file.name.lower().endswith(endings)]
            for name, files in found.items()
        }
