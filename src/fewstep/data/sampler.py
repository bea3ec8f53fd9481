"""Who is in which task, and in which order: a pure function of (seed, split, task index).

Philox is a counter-based generator: its output at any place is a function of a key and a counter,
so task 1,000,000 costs what task 0 costs and nothing has to be remembered between tasks. The key
is (seed, split), the counter (task, stream), and each thing that is drawn has a stream of its own:

    stream 0        the task's classes
    stream 1        the order of its minibatches
    stream 2 + i    the image permutation of the class at position i
    stream -1       the task's key, from which noise inside a network follows
    stream -2       whatever a function of a user's own draws
    stream -3       the group that the task's classes are of, where classes have groups
    stream -4       how many ways and shots it has, where these are drawn

so no draw can shift another one. Only `Philox.random_raw` is used: numpy promises that stream for
all time, while the methods of `numpy.random.Generator` may change between versions.
"""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.counts import whole


CLASSES, ORDER, IMAGES = 0, 1, 2
_OWN = threading.local()

WORD = (1 << 64) - 1
KEY, FREE, GROUP = WORD, WORD - 1, WORD - 2
SIZES = WORD - 3
BLOCK = 1 << 16
"""Words that are drawn at a time for the order of a task's minibatches."""


class Draws:
    """The random draws of one task. Cheap to make (some 5 us), and not shared between threads."""

    def __init__(self, seed: int, split: str, index: int) -> None:
        self.split, self.index = split, index
        seed, index = whole("seed", seed), whole("index", index)
        key = np.array([seed & WORD, _word(split)], dtype=np.uint64)
        self._counter = np.array([0, 0, index & WORD, 0], dtype=np.uint64)
        self._generator = _generator_of_thread()
        self._state: Any = {  # of which NumPy names no type
            "bit_generator": "Philox",
            "state": {"counter": self._counter, "key": key},
            "buffer": np.zeros(4, dtype=np.uint64),
            "buffer_pos": 4,  # the buffer is used up
            "has_uint32": 0,
            "uinteger": 0,
        }

    def words(self, stream: int, n: int) -> np.ndarray:
        """The first n words of a stream: [n] uint64."""
        self._counter[1] = stream
        # Setting the state is ten times faster than making a generator for each stream.
        self._generator.state = self._state
        return self._generator.random_raw(n)

    def classes(self, ways: int, classes: int) -> list[int]:
        """`ways` distinct classes out of 0..classes-1, in task order: position is label.

        Costs O(ways). The first 5 classes of a 20-way task are those of the 5-way task.
        """
        return permutation_prefix(self.words(CLASSES, ways).tolist(), classes)

    def group(self, groups: int) -> int:
        """One of 0..groups-1, each as likely as any other."""
        return permutation_prefix(self.words(GROUP, 1).tolist(), groups)[0]

    def images(self, position: int, n: int, images: int) -> list[int]:
        """The first n of a permutation of 0..images-1, for the class at a position in the task.

        The permutation depends on neither ways nor shots: a longer prefix only goes on.
        """
        return permutation_prefix(self.words(IMAGES + position, n).tolist(), images)

    def key(self) -> np.ndarray:
        """The task's key: [] int64."""
        return self.words(KEY, 1).view(np.int64).reshape(())

    def generator(self) -> np.random.Generator:
        """The task's own generator, for draws whose methods numpy may change between versions."""
        philox = np.random.Philox()
        self._counter[1] = FREE
        philox.state = self._state
        return np.random.Generator(philox)

    def batches(self, spec: EpisodeSpec) -> np.ndarray:
        """The support rows of each inner minibatch, [steps, B] int64 (paper section 2.5).

        The samples are shuffled and streamed, and a partial batch is carried over the reshuffle,
        so that every batch is full, may straddle two shuffles and may then repeat a sample. With
        `spec.replacement` every batch is drawn on its own, without repeats inside it. Without a
        batch size, every batch is the whole support set in order.
        """
        support = spec.ways * spec.shots
        if spec.batch_size is None:
            return np.tile(np.arange(support), (spec.steps, 1))
        if spec.replacement:
            return self._shuffles(spec.steps, support)[:, : spec.batch_size]
        samples = spec.steps * spec.batch_size
        shuffles = -(-samples // support)  # rounded up
        stream = self._shuffles(shuffles, support).reshape(-1)
        return stream[:samples].reshape(spec.steps, spec.batch_size)

    def _shuffles(self, n: int, support: int) -> np.ndarray:
        """n permutations of 0..support-1: [n, support]."""
        shuffles, block = np.empty((n, support), dtype=np.int64), max(1, BLOCK // support)
        self.words(ORDER, 0)
        for first in range(0, n, block):  # so that the words themselves are never all in memory
            rows = shuffles[first : first + block]
            keys = self._generator.random_raw(rows.size).reshape(rows.shape)
            rows[:] = np.argsort(keys, axis=1, kind="stable")
        return shuffles


def permutation_prefix(words: list[int], n: int) -> list[int]:
    """The first len(words) entries of a random permutation of 0..n-1, one word an entry.

    Fisher-Yates that stores only the entries it has moved, so that drawing 5 of 100,000 costs 5.
    `word * m >> 64` is uniform on 0..m-1 up to m / 2**64, far below what any run could notice.
    """
    moved: dict[int, int] = {}
    prefix = []
    for i, word in enumerate(words):
        j = i + (word * (n - i) >> 64)
        prefix.append(moved.get(j, j))
        moved[j] = moved.get(i, i)
    return prefix


def check_counts(spec: EpisodeSpec) -> None:
    """Raise ValueError where a spec makes no sense for any dataset, naming the field."""
    least = {"ways": 1, "shots": 1, "queries": 0, "steps": 0}
    for field, limit in least.items():
        if whole(field, getattr(spec, field)) < limit:
            raise ValueError(f"{field}={getattr(spec, field)}: must be at least {limit}")
    for field in ("replacement", "varies"):
        if not isinstance(value := getattr(spec, field), bool):
            raise ValueError(f"{field}={value!r}: must be true or false")
    if spec.batch_size is None:
        return
    whole("batch_size", spec.batch_size)
    if spec.batch_size < 1:
        raise ValueError(
            f"batch_size={spec.batch_size}: must be at least 1, or null for the whole support set"
        )
    support = spec.ways * spec.shots
    if spec.replacement and spec.batch_size > support:
        raise ValueError(
            f"batch_size={spec.batch_size}: with replacement a minibatch has no repeats inside "
            f"it, and the support set has {support} examples; use at most {support}"
        )


def _generator_of_thread() -> np.random.Philox:
    """One for all draws of a thread, each of which sets its state: to make one takes 20 us."""
    if not hasattr(_OWN, "generator"):
        _OWN.generator = np.random.Philox()
    return _OWN.generator


@lru_cache
def _word(name: str) -> int:
    """A name as a 64-bit word; `hash` would differ between processes."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
