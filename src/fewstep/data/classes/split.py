"""Examples in one tensor, class after class, and a split as a view of it (paper section 2.5).

No file is opened while training: an episode is an index into the examples, cast and scaled.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.classes import any_way
from fewstep.data.classes.members import Members, drawn
from fewstep.data.classes.too_few import ways_out
from fewstep.data.digest import data_sha256
from fewstep.data.sampler import Draws
from fewstep.disk.cache.entries import sums


class ClassSplit:
    """Some of a dataset's classes, as a source of tasks; implements `fewstep.core.types.Split`.

    Args:
        dataset: the dataset's name, for messages.
        name: `train`, `val` or `test`; it also keys the draws.
        pixels: [n, C, H, W] uint8, all images of the dataset; may be memory-mapped. Any strides
            will do; with the channels last in memory, an episode costs the least.
        starts: [all classes] int64, where each class begins in `pixels`.
        counts: [all classes] int64, how many images each class has.
        class_names: the names of all classes.
        classes: [classes of this split] int64, their ids among all classes.
        scale: what a pixel is multiplied by: 1.0 where pixels are 0 and 1 already.
        digest: that of the data where it is known (`fewstep.data.digest`); else it is made from
            all pixels when it is asked for.
    """

    things, interval = "images", "closed"
    keeps = False
    """Whether inputs come as they are, and not in the precision that trains."""
    listed: Sequence[Members] | None = None
    """Tasks that were written down, in the place of those that are drawn."""

    def __init__(
        self,
        dataset: str,
        name: str,
        pixels: Tensor,
        starts: np.ndarray,
        counts: np.ndarray,
        class_names: Sequence[str],
        classes: np.ndarray,
        scale: float = 1 / 255,
        digest: str | None = None,
    ) -> None:
        self.dataset, self.name = dataset, name
        self.pixels, self.starts, self.counts = pixels, starts, counts
        self.class_names, self.classes, self.scale = class_names, classes, scale
        self.digest = digest
        self.dtype = torch.float32
        self._checked: set[EpisodeSpec] = set()

    def __repr__(self) -> str:
        shape = "x".join(str(n) for n in self.pixels.shape[1:])
        return f"<{self.name} split of {self.dataset}: {len(self.classes)} classes, {shape}>"

    def having(self, name: str, classes: Sequence[int]) -> ClassSplit:
        """A split of the same dataset with a name and classes, by their ids, of its own."""
        made = copy.copy(self)
        made.name, made.classes = name, np.array(classes, dtype=np.int64)
        made._checked = set()
        return made

    @property
    def data_sha256(self) -> str:
        """The digest of the whole dataset, whatever this split has of it."""
        if self.digest is None:
            rows = self.rows(self.pixels).contiguous().numpy()
            own = zip(self.starts, self.counts, strict=True)
            parts = [sums(rows[first : first + n], [n])[0] for first, n in own]
            self.digest = data_sha256(self.class_names, self.counts, parts)
        return self.digest

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> ClassSplit:
        """The same split with its pixels on a device and its episodes in a dtype.

        Pixels that are on the device already are shared (a memory-mapped file stays one); for
        another device only this split's images are copied, so train and test do not hold the
        whole dataset twice.
        """
        pixels, starts, digest = self.pixels, self.starts, self.digest
        if torch.device(device) != pixels.device:
            digest = self.data_sha256
            first, count = starts[self.classes], self.counts[self.classes]
            kept = [np.arange(a, a + n) for a, n in zip(first, count, strict=True)]
            chosen = torch.from_numpy(np.concatenate(kept)).to(pixels.device)
            pixels = self.inputs(self.rows(pixels)[chosen].to(device))
            starts = starts.copy()
            starts[self.classes] = np.cumsum(count) - count
        moved = copy.copy(self)
        moved.pixels, moved.starts, moved.digest = pixels, starts, digest
        moved.dtype = dtype
        return moved

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`, on the device and in the dtype of this split.

        The support is laid out class after class, [class 0 shot 0, class 0 shot 1, ...], and so is
        the query; a label is the class's position in the task. Images are [C, H, W], scaled, with
        the channels last in memory.

        Raises ValueError, as `check` does, when the split cannot fill the spec.
        """
        members = self.members(spec, seed, index)
        support, draws = len(members.support), Draws(seed, self.name, index)
        device = self.pixels.device
        rows = _placed(members.rows(self.starts), device)
        taken = self.rows(self.pixels).index_select(0, rows)
        x = self.inputs(taken if self.keeps else taken.to(self.dtype))
        if self.scale != 1:
            x.mul_(self.scale)
        return Episode(
            support_x=x[:support],
            support_y=_labels(members.shots, device),
            query_x=x[support:],
            query_y=_labels(members.queries, device),
            batches=_placed(draws.batches(members.spec(spec)), device),
            key=_placed(draws.key(), device),
        )

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """The ids of classes, support images and query images: little-endian int64.

        Ids are those of the dataset: they depend on neither the device nor other splits.
        """
        return self.members(spec, seed, index).identity

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if this split cannot fill a spec."""
        any_way.check(spec, self.name)
        if spec.ways > (classes := len(self.classes)):
            raise ValueError(
                f"shots.ways={spec.ways}: the {self.name} split of {self.dataset} has "
                f"{ways_out(classes, len(self.class_names))}"
            )
        needed = spec.shots + spec.queries
        smallest = self.classes[np.argmin(self.counts[self.classes])]
        if self.counts[smallest] < needed:
            raise ValueError(
                f"class '{self.class_names[smallest]}' of the {self.name} split has "
                f"{self.counts[smallest]} {self.things}, but shots + queries = {spec.shots} + "
                f"{spec.queries} = {needed} are needed; lower shots or queries, or drop the class"
            )

    def drawn(self, ways: int, draws: Draws) -> np.ndarray:
        """The class ids of a task, [N]."""
        return self.classes[draws.classes(ways, len(self.classes))]

    @staticmethod
    def rows(pixels: Tensor) -> Tensor:
        """As [n, H, W, C]: gathered in this order, images come out channels-last at no cost."""
        return pixels.permute(0, 2, 3, 1)

    @staticmethod
    def inputs(rows: Tensor) -> Tensor:
        """And back."""
        return rows.permute(0, 3, 1, 2)

    def members(self, spec: EpisodeSpec, seed: int, index: int) -> Members:
        """Who is in task `index`.

        Queries come first in each class's permutation, so that 1-shot and 5-shot tasks share
        their queries and the 5-shot support contains the 1-shot one.
        """
        if self.listed is not None:
            return self.listed[index]
        if spec not in self._checked:
            self.check(spec)
            self._checked.add(spec)
        draws = Draws(seed, self.name, index)
        ways = any_way.ways(spec, draws) if spec.varies else spec.ways
        chosen = self.drawn(ways, draws)
        counts = self.counts[chosen].tolist()
        shots = any_way.shots(spec, draws, counts) if spec.varies else (spec.shots,) * ways
        return drawn(draws, chosen, counts, shots, spec.queries)


def _placed(numbers: np.ndarray, device: torch.device) -> Tensor:
    """On the device, without waiting for what it is doing: CUDA copies pageable memory aside."""
    return torch.from_numpy(numbers).to(device, non_blocking=device.type == "cuda")


@lru_cache(1024)
def _labels(each: tuple[int, ...], device: torch.device) -> Tensor:
    """[0, 0, ..., 1, 1, ...]: the same for every task of a shape, so made once."""
    return torch.from_numpy(np.repeat(np.arange(len(each)), each)).to(device)
