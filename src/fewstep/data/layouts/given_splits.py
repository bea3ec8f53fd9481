"""The split that a dataset comes with, in folders or in a table, by any of its usual names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fewstep.core.types import SPLITS
from fewstep.data.digest import composed
from fewstep.data.images.pictures import Classes


SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What a split may be called, with `meta` before it or without; case, `_`, `-` and spaces do not
count."""


def split_of(name: str) -> str | None:
    """The split that is meant: `train` for `Meta-Training`; None if none is."""
    return SPELLINGS.get(re.sub(r"[\s_\-]", "", name.casefold()).removeprefix("meta"))


def check_once(names: Iterable[str], where: str) -> None:
    """Refuse folders of splits two of which are the same one, as `val` and `valid`.

    Raises ValueError that names both: as classes, which they would be else, they are none.
    """
    seen: dict[str, str] = {}
    for name in names:
        split = split_of(name)
        if split and (other := seen.setdefault(split, name)) != name:
            raise ValueError(
                f"dataset.root='{where}': {other} and {name} are both the {split} split; put "
                "their classes into one of them, or move the other away"
            )


@dataclass(frozen=True)
class Found:
    """What lies under a dataset's root."""

    classes: Classes
    """All of them, sorted."""
    parts: dict[str, list[str]] | None = None
    """The class names of each split, if the data says."""
    clash: str | None = None
    """Why the split that it comes with divides no classes, if it does not."""


def together(splits: Mapping[str, Classes], where: str) -> Found:
    """The classes of all splits as one dataset.

    A class that several splits have is put together out of all of them; `clash` then says why
    the split cannot be used.
    """
    classes: Classes = {}
    spelled: dict[str, str] = {}
    homes: dict[str, str] = {}
    clash = None
    for split in (name for name in SPLITS if name in splits):
        for label, found in splits[split].items():
            name = spelled.setdefault(composed(label), label)
            if name in homes and clash is None:
                clash = (
                    f"dataset.root='{where}': class '{name}' is in {homes[name]} and in {split}, "
                    f"but few-shot splits divide classes, not images: name the classes of each in "
                    f"dataset.split_files={{train: FILE, val: FILE, test: FILE}}, and the images "
                    f"of a class are put together"
                )
            homes.setdefault(name, split)
            classes.setdefault(name, []).extend(found)
    parts = {split: sorted(n for n in homes if homes[n] == split) for split in splits}
    return Found(dict(sorted(classes.items())), parts, clash)
