"""Classes of a dataset by their names; an accent may be one sign with its letter or two."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import composed


def names_of(split: ClassSplit) -> list[str]:
    """The names of a split's classes, in their order."""
    return [split.class_names[int(i)] for i in split.classes]


def unique(split: ClassSplit) -> bool:
    """Whether each class of the dataset has a name of its own."""
    return len(_ids(split)) == len(split.class_names)


def absent(split: ClassSplit, names: Sequence[str]) -> list[str]:
    """The names that no class of the dataset has."""
    ids = _ids(split)
    return [name for name in names if composed(name) not in ids]


def chosen(split: ClassSplit, name: str, classes: Sequence[str]) -> ClassSplit:
    """A split with these classes of a dataset, in their order; it has them all."""
    ids = _ids(split)
    return split.having(name, [ids[composed(one)] for one in classes])


def only(split: ClassSplit, names: Sequence[str]) -> ClassSplit:
    """The dataset as if it had these classes alone: its ids, and so its episodes, are those of a
    run that had no others."""
    wanted = set(map(composed, names))
    kept = [i for i, name in enumerate(split.class_names) if composed(name) in wanted]
    made = copy.copy(split)
    made.class_names = [split.class_names[i] for i in kept]
    made.starts, made.counts, made.digest = split.starts[kept], split.counts[kept], None
    return made


def _ids(split: ClassSplit) -> dict[str, int]:
    return {composed(name): i for i, name in enumerate(split.class_names)}
