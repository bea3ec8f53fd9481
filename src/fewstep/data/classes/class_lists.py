"""Which class is in which split: the published lists, one's own, or a seeded shuffle."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

import numpy as np
from torch import Tensor

from fewstep.core.types import SPLITS
from fewstep.data.classes.name_lists import Names, read_names
from fewstep.data.classes.split import ClassSplit
from fewstep.data.counts import whole
from fewstep.disk.homes import expanded
from fewstep.messages.errors import some


Parts = dict[str, list[str]]
"""The class names of each split."""


def published(dataset: str) -> Parts:
    """The lists that papers use: `cifar_fs` (Bertinetto et al. 2019) and `miniimagenet` (Ravi and
    Larochelle 2017), 64, 16 and 20 classes each."""
    folder = files("fewstep") / "data" / "splits"
    return {
        split: folder.joinpath(f"{dataset}_{split}.txt").read_text("utf-8").split()
        for split in SPLITS
    }


def from_files(paths: Mapping[str, str | Path], present: Iterable[str], where: str) -> Parts:
    """One's own lists, as `name_lists` reads them: a text file a split.

    Args:
        paths: the files by split: train (always), val and test (as needed).
        present: the classes that there are.
        where: where they are, for messages.

    Raises:
        ValueError: for an unknown split, a missing train list, an empty list, a class that is in
            two lists or is not there, a file that is no text.
        FileNotFoundError: for a list that does not exist.
    """
    unknown = [name for name in paths if name not in SPLITS]
    if unknown or "train" not in paths:
        raise ValueError(
            f"dataset.split_files has {', '.join(paths) or 'nothing'}: its keys are train (always) "
            f"and val and test (as you need them)"
        )
    names, parts, seen = Names(present), {}, {}
    for split, path in paths.items():
        key = f"dataset.split_files.{split}"
        if not isinstance(path, str | Path):
            raise ValueError(f"{key}={path}: must be the path of a file, or leave {split} out")
        file, key = expanded(path, key), f"{key}='{path}'"
        if not file.is_file():
            wrong = "is no plain file" if file.exists() else "does not exist"
            raise FileNotFoundError(f"{key} {wrong}; name a text file or a table")
        entries = read_names(file, key, names)
        if not entries:
            raise ValueError(f"{key} names no class")
        for entry in entries:
            if entry.name in seen:
                raise ValueError(
                    f"class '{entry.name}' is in the {seen[entry.name]} list and again in the "
                    f"{split} list ('{path}', line {entry.line}); keep it in one, or test tasks "
                    f"would not be new"
                )
            seen[entry.name] = split
        parts[split] = [entry.name for entry in entries]
        if missing := [entry for entry in entries if not entry.known]:
            like = names.like(missing[0].name)
            _refuse(
                [entry.name for entry in missing],
                f"the {len(entries)} {split} classes",
                where,
                f"{key}, line {missing[0].line}" + (f" (did you mean '{like}'?)" if like else ""),
            )
    return parts


def check_split(split: str | None) -> None:
    """Raise ValueError for a `split` that is neither `all` nor None."""
    if split not in ("all", None):
        raise ValueError(
            f"dataset.split='{split}': must be all, which puts every class into the test split, or "
            "null"
        )


def together(parts: Parts) -> Parts:
    """Every class in the test split, for a checkpoint that was trained on other data."""
    return {"test": [name for part in parts.values() for name in part]}


def shuffled(names: Iterable[str], seed: int, val: float, test: float) -> Parts:
    """A seeded shuffle of the names, cut by fractions of their number; at least one class each.

    A fraction of 0 leaves that split out. Raises ValueError if no class is left to train on, or for
    a seed that is no whole number, of which some are others in every process.
    """
    order = sorted(names)
    random.Random(whole("split_seed", seed)).shuffle(order)
    sizes = {
        split: max(1, round(fraction * len(order))) if fraction else 0
        for split, fraction in (("val", val), ("test", test))
    }
    train = len(order) - sum(sizes.values())
    if train < 1:
        raise ValueError(
            f"dataset.val={val}, dataset.test={test}: of {len(order)} classes none is left to "
            f"train on; lower them, or add classes"
        )
    ends = np.cumsum([train, sizes["val"], sizes["test"]])
    parts = {
        s: order[end - n : end]
        for s, end, n in zip(SPLITS, ends, np.diff(ends, prepend=0), strict=True)
    }
    return {split: part for split, part in parts.items() if part}


def check_present(parts: Parts, names: Iterable[str], where: str) -> None:
    """Raise ValueError if a listed class is missing."""
    present = set(names)
    for split, part in parts.items():
        if missing := [name for name in part if name not in present]:
            _refuse(missing, f"the {len(part)} {split} classes", where)


def _refuse(missing: list[str], of: str, where: str, hint: str = "") -> NoReturn:
    raise ValueError(
        f"dataset.root='{where}': {len(missing)} of {of} are missing ({some(missing, 3)})"
        f"{f' in {hint}' if hint else ''}; complete the data, or correct the list"
    )


def split_up(
    dataset: str,
    parts: Parts,
    names: Sequence[str],
    counts: np.ndarray,
    pixels: Tensor,
    digest: str | None = None,
) -> dict[str, ClassSplit]:
    """The splits of a dataset whose classes lie in `pixels` one after another.

    Args:
        dataset: its name, for messages.
        parts: the class names of each split.
        names: [classes], all class names, in the order of the pixels.
        counts: [classes] int64, how many images each has.
        pixels: [n, C, H, W] uint8.
        digest: of the data, where it is known.
    """
    ids = {name: i for i, name in enumerate(names)}
    starts = np.cumsum(counts) - counts
    return {
        split: ClassSplit(
            dataset,
            split,
            pixels,
            starts,
            counts,
            names,
            np.array([ids[name] for name in part]),
            digest=digest,
        )
        for split, part in parts.items()
    }
