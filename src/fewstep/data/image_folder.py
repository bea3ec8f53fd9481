"""One's own images: one folder a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fewstep.data import class_lists, pictures
from fewstep.data.decode import MODES, RESAMPLES
from fewstep.data.images import ImageSplit
from fewstep.data.tasks import Classification


@dataclass
class ImageFolder:
    """Images of any size and kind, sorted into classes, as squares of `size` pixels.

    They are squeezed to a square, turned as their EXIF tag says, and put on white where they are
    transparent. The first `open` decodes everything into the cache (size**2 * channels bytes an
    image); it raises ValueError for an empty class and for a file that is not an image, by name.
    """

    root: str | Path
    """A folder with one folder a class; or a zip file of one, maybe inside one top folder; or a
    folder with one zip file a class."""
    size: int = 84
    """Side of an image in pixels."""
    channels: int = 3
    """3 for colour, 1 for grey."""
    resample: str = "bilinear"
    """How to resize: nearest, bilinear, bicubic or lanczos; all but the first antialias."""
    val: float = 0.15
    """The fraction of the classes that is the validation split; 0 for none."""
    test: float = 0.2
    """The fraction of the classes that is the test split; 0 for none."""
    split_seed: int = 0
    """Shuffles the classes before they are split by fractions; not the run's seed."""
    split_files: Mapping[str, str | Path] | None = None
    """Instead of fractions: text files named by split, {train: PATH, val: PATH, test: PATH}, one
    class name a line. Classes in none of them are left out."""
    split: str | None = None
    """`all`: every class is in the test split, whatever the fractions and lists say."""
    name: str = "image_folder"
    """The dataset's name in records and messages."""

    task: Classification = field(default_factory=Classification, init=False)

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
        class_lists.check_split(self.split)
        for key in ("val", "test"):
            if not 0 <= getattr(self, key) < 1:
                raise ValueError(
                    f"dataset.{key}={getattr(self, key)}: must be a fraction of the classes, at "
                    f"least 0 and below 1"
                )

    def open(self) -> dict[str, ImageSplit]:
        """The splits by name: `train`, and `val` and `test` unless they are empty."""
        return self._splits

    @cached_property
    def _splits(self) -> dict[str, ImageSplit]:
        found = pictures.find_classes(Path(self.root).expanduser())
        if self.split == "all":
            parts = {"test": list(found)}
        elif self.split_files:
            parts = class_lists.from_files(self.split_files)
            class_lists.check_present(parts, found, str(self.root))
            listed = {name for part in parts.values() for name in part}
            found = {name: files for name, files in found.items() if name in listed}
        else:
            parts = class_lists.shuffled(found, self.split_seed, self.val, self.test)
        pixels, counts, digest = pictures.load(
            self.name, found, self.size, self.channels, self.resample
        )
        return class_lists.split_up(self.name, parts, list(found), counts, pixels, digest)
