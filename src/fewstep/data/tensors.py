"""One's own examples in memory: any inputs with a label each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.core.objectives import Classification, Objective
from fewstep.core.types import SPLITS
from fewstep.data.classes.class_lists import Parts, shuffled
from fewstep.data.classes.split import ClassSplit
from fewstep.data.images.decode import MODES
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import PIXEL, RowPreparation
from fewstep.data.rows import SHOWN, classes_of, inputs_of, name_of
from fewstep.messages.errors import some


@dataclass(eq=False)
class TensorClasses:
    """Examples `x` with a label `y` each, as a dataset; the classes are split, not the examples.

        def letters(path: str):
            x, y = read(path)
            return TensorClasses(x, y)

    Fractional inputs come in the precision that trains, truth values as 0 and 1, bytes divided by
    255 as the pixels that they are, other whole numbers as they are, for a network that embeds
    them; with a `scale`, every input is multiplied by it. What cannot be is a ValueError with the
    way out.
    """

    x: Any = field(repr=False)
    """[n, *], an array, a tensor or a list of them, in memory or mapped from a file."""
    y: Any = field(repr=False)
    """[n] labels: whole numbers or texts."""
    _: KW_ONLY
    name: str = "tensors"
    """Of the dataset, in records and messages."""
    splits: Mapping[str, Iterable[Any]] | None = None
    """The labels of `train`, `test` and perhaps `val`; None shuffles the classes."""
    val: float = 0.15
    """The fraction of the classes that is for validation; 0 for none."""
    test: float = 0.2
    """The fraction that is for the test."""
    split_seed: int = 0
    """Shuffles the classes before they are cut; not the run's seed."""
    scale: float | None = None
    """What inputs are multiplied by."""
    objective: Objective = field(default_factory=Classification)
    """Losses and metrics; None is those of classification."""

    def __post_init__(self) -> None:
        self.objective = self.objective or Classification()
        if self.scale is not None and not _is_factor(self.scale):
            raise ValueError(
                f"scale={self.scale}: must be a finite number other than 0, that inputs are "
                "multiplied by. For example scale=0.01"
            )
        self.x = inputs_of(self.x)
        self.class_names, self._place = classes_of(self.y, len(self.x))
        self._parts = self._cut() if self.splits is None else self._listed(self.splits)

    @property
    def preparation(self) -> Preparation | None:
        """How a picture from elsewhere becomes an input, where these are square pictures of bytes;
        None of rows of numbers."""
        _, *shape = self.x.shape
        pixels = self.x.dtype == torch.uint8 and self.scale is None
        square = len(shape) == 3 and shape[0] in MODES and shape[1] == shape[2]
        return Preparation(shape[1], shape[0]) if pixels and square else None

    @property
    def row_preparation(self) -> RowPreparation:
        """How examples from elsewhere become inputs, where these are no pictures."""
        kinds = {torch.uint8: "bytes", torch.int64: "whole"}
        kind = kinds.get(self.x.dtype, "fractions")
        return RowPreparation(tuple(self.x.shape[1:]), kind, self.scale)

    def open(self) -> dict[str, ClassSplit]:
        """The splits by name."""
        return self._opened

    @cached_property
    def _opened(self) -> dict[str, ClassSplit]:
        counts = np.bincount(self._place, minlength=len(self.class_names))
        order = np.argsort(self._place, kind="stable")
        sorts = (order[1:] < order[:-1]).any()  # else nothing is copied
        rows = self.x[torch.from_numpy(order)] if sorts else self.x
        whole = TensorSplit(
            self.name,
            "train",
            rows,
            np.cumsum(counts) - counts,
            counts,
            self.class_names,
            np.arange(len(counts)),
            scale=self._factor,
        )
        whole.keeps = self.scale is None and rows.dtype == torch.int64
        ids = {name: number for number, name in enumerate(self.class_names)}
        return {
            part: whole.having(part, [ids[c] for c in own]) for part, own in self._parts.items()
        }

    @property
    def _factor(self) -> float:
        if self.scale is not None:
            return self.scale
        return PIXEL if self.x.dtype == torch.uint8 else 1.0

    def _cut(self) -> Parts:
        """By fractions of the classes."""
        for key in ("val", "test"):
            share = getattr(self, key)
            if not _is_number(share) or not 0 <= share < 1 or (key == "test" and not share):
                raise ValueError(
                    f"{key}={share}: must be a fraction of the classes "
                    f"{'above' if key == 'test' else 'of at least'} 0 and below 1"
                )
        classes, least = len(self.class_names), 3 if self.val else 2
        if classes < least:
            raise ValueError(
                f"y: has {classes} class{'es' * (classes > 1)}, and each of {least} splits needs "
                f"one at least{', or give val=0' if classes == 2 else ''}. Give more classes"
            )
        return shuffled(self.class_names, self.split_seed, self.val, self.test)

    def _listed(self, splits: Mapping[str, Iterable[Any]]) -> Parts:
        """As they are listed."""
        if not isinstance(splits, Mapping):
            raise ValueError(
                f"splits: is a {type(splits).__name__}, and must say which labels are in train and "
                'in test, as {"train": [0, 1], "test": [2, 3]}'
            )
        parts = {part: _labels(part, labels) for part, labels in splits.items()}
        if not {"train", "test"} <= parts.keys() <= {*SPLITS}:
            raise ValueError(
                f"splits has {', '.join(map(str, parts)) or 'nothing'}: its keys are train, test "
                "and, where it is wanted, val"
            )
        seen: dict[str, str] = {}
        for part, labels in parts.items():
            if not labels:
                raise ValueError(f"splits.{part}: names no class. List one at least")
            for label in labels:
                if label not in self.class_names:
                    raise ValueError(
                        f"splits.{part}: y has no example of class '{label}'. Its "
                        f"{len(self.class_names)} classes are {some(self.class_names, SHOWN)}"
                    )
                if label in seen:
                    raise ValueError(
                        f"splits.{part}: has class '{label}', which is in {seen[label]} already. "
                        "Keep it in one, or test tasks would not be new"
                    )
                seen[label] = part
        return parts


class TensorSplit(ClassSplit):
    """Some of the classes of rows of any shape, as a source of tasks."""

    things = "examples"

    @staticmethod
    def rows(pixels: Tensor) -> Tensor:
        """As they are."""
        return pixels

    @staticmethod
    def inputs(rows: Tensor) -> Tensor:
        """As they are."""
        return rows


def _labels(part: str, labels: Any) -> list[str]:
    """The names of the classes of a split, whose labels are in any form that `y` may have."""
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable):
        raise ValueError(
            f"splits.{part}={labels!r}: must be a list of labels, as {{'{part}': [{labels!r}]}}"
        )
    return [name_of(label) for label in labels]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _is_factor(value: Any) -> bool:
    return _is_number(value) and bool(np.isfinite(value)) and value != 0
