"""Who is in a task: classes, and images of each to learn from and to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.sampler import Draws


class Members(NamedTuple):
    """Ids of a task, class after class; images are numbered within their classes."""

    classes: np.ndarray
    """[N] int64, ids among all classes of the dataset: position is label."""
    shots: tuple[int, ...]
    """[N], support images of each class."""
    support: np.ndarray
    """[S] int64."""
    queries: tuple[int, ...]
    """[N], query images of each class."""
    query: np.ndarray
    """[sum of `queries`] int64."""

    def rows(self, starts: np.ndarray) -> np.ndarray:
        """Where the support images and then the queries lie among all images of a dataset whose
        classes begin at `starts`."""
        own = starts[self.classes]
        parts = (self.shots, self.support), (self.queries, self.query)
        return np.concatenate([np.repeat(own, each) + images for each, images in parts])

    def spec(self, asked: EpisodeSpec) -> EpisodeSpec:
        """One with as large a support set, by which its minibatches are drawn."""
        return replace(asked, ways=len(self.support), shots=1)

    @property
    def identity(self) -> bytes:
        """All ids, little-endian int64: classes, support, queries."""
        parts = self.classes, self.support, self.query
        return b"".join(part.astype("<i8").tobytes() for part in parts)


def drawn(
    draws: Draws, classes: np.ndarray, counts: Sequence[int], shots: Sequence[int], queries: int
) -> Members:
    """The members of a task whose classes have `counts` images: so many queries of each, and then
    its shots, of one permutation of the class's images."""
    pairs = zip(counts, shots, strict=True)
    images = [draws.images(i, queries + own, count) for i, (count, own) in enumerate(pairs)]
    support = [image for own in images for image in own[queries:]]
    query = [image for own in images for image in own[:queries]]
    numbers = (np.array(part, dtype=np.int64) for part in (support, query))
    each = (queries,) * len(images)
    return Members(classes, tuple(shots), next(numbers), each, next(numbers))
