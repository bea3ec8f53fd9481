"""Tasks that a program makes, as a dataset: without an end, and each a function of its place."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewstep.core.types import SPLITS, Episode, EpisodeSpec
from fewstep.data.digest import source_sha256
from fewstep.data.rows import placed
from fewstep.data.sampler import Draws, check_counts
from fewstep.messages.errors import ConfigError


Numbers = np.ndarray | Tensor


class Made(NamedTuple):
    """What a family makes of a task; fractions come in the precision that trains."""

    support_x: Numbers
    support_y: Numbers
    query_x: Numbers
    query_y: Numbers
    extras: Mapping[str, Numbers] = MappingProxyType({})


@dataclass
class Family(ABC):
    """A dataset whose fields say which tasks it makes; a subclass says how."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """To be raised when the same fields come to make other tasks."""
    splits: ClassVar[Sequence[str]] = SPLITS
    interval: ClassVar[str] = "open"
    """What an interval over its test tasks speaks of, as a report says it: `open`, of all that its
    program makes; `closed`, of further tasks of the same classes; `finite`, where the test tasks
    are all that there are."""

    @abstractmethod
    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """One task; all that is random in it comes from its draws, which know the split."""

    @abstractmethod
    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """What makes the task this task, for a fingerprint."""

    @abstractmethod
    def check(self, spec: EpisodeSpec, split: str) -> None:
        """Raise ValueError, naming the counts, if a spec cannot be filled in a split."""

    def settings(self) -> dict[str, Any]:
        """What makes its tasks, for a digest: by default its version and all that it is given."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        plain = {n: list(v) if isinstance(v, (list, tuple)) else v for n, v in given.items()}
        return {"version": self.version, **plain}

    def open(self) -> dict[str, FamilySplit]:
        """The splits, each an endless row of tasks of its own."""
        return {split: FamilySplit(split, self) for split in self.splits}


class FamilySplit:
    """Endless tasks of a family; implements `fewstep.core.types.Split`."""

    def __init__(self, name: str, family: Family) -> None:
        self.name, self.family = name, family
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def __repr__(self) -> str:
        return f"<{self.name} split of {self.family}>"

    @property
    def interval(self) -> str:
        """As of the family."""
        return self.family.interval

    @property
    def data_sha256(self) -> str:
        """The digest of what makes the tasks."""
        return source_sha256(self.family.name, self.family.settings())

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> FamilySplit:
        """The same split with its episodes on a device and in a dtype."""
        moved = copy.copy(self)
        moved.device, moved.dtype = torch.device(device), dtype
        return moved

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`.

        Raises ValueError, as `check` does, and for a task that is larger than the memory.
        """
        self.check(spec)
        draws = Draws(seed, self.name, index)
        try:
            made = self.family.task(draws, spec)
        except MemoryError as error:
            raise ConfigError(
                f"dataset={self.family.name}: a task with shots={spec.shots} takes more memory "
                f"than there is ({error}). Lower the sizes among the keys of dataset, or the shots"
            ) from None
        sx, sy, qx, qy, batches, key = map(
            self._placed, (*made[:4], draws.batches(spec), draws.key())
        )
        extras = {name: self._placed(value) for name, value in made.extras.items()}
        return Episode(sx, sy, qx, qy, batches, key, extras)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """What makes the task this task."""
        return self.family.identity(Draws(seed, self.name, index), spec)

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if a spec cannot be filled."""
        check_counts(spec)
        self.family.check(spec, self.name)

    def _placed(self, numbers: Numbers) -> Tensor:
        return placed(numbers, self.device, self.dtype)
