"""What a frozen network says of pictures, asked once a picture and kept on disk by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from fewstep.data.images.preparation import Preparation
from fewstep.disk.cache import cache, entries
from fewstep.use.way import answers


DIGEST = 32
"""Bytes of a picture's SHA-256, in front of its features in a row of the cache."""


class Frozen(nn.Module):
    """A network's features, each of length 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, D] of inputs [B, *x]."""
        return F.normalize(self.network(x).flatten(1))


@dataclass(frozen=True)
class Features:
    """The features of pictures under one network and one preparation.

    Pictures are told by their pixels. What was asked before is found in memory, or in the cache:
    an entry holds the pictures that were new at one time.
    """

    network: Frozen
    preparation: Preparation
    name: str
    """Of the network, as the cache calls it."""
    sha256: str
    """Of its weights."""
    _known: dict[bytes, Tensor] = field(default_factory=dict, repr=False)

    @property
    def entry(self) -> str:
        """How the entries of these features are called in the cache."""
        origin = {"weights": self.sha256, "preparation": self.preparation.as_dict()}
        return f"{self.name}_{cache.key(origin)[:8]}"

    def __call__(self, kept: Tensor) -> Tensor:
        """Features [n, D] float32 of pixels [n, S, S, C] uint8."""
        marks = [hashlib.sha256(one.numpy().tobytes()).digest() for one in kept.contiguous()]
        if not all(mark in self._known for mark in marks):
            self._remember()
        places = {mark: place for place, mark in enumerate(marks) if mark not in self._known}
        if places:
            self._ask(list(places), kept[list(places.values())])
        return torch.stack([self._known[mark] for mark in marks])

    def _remember(self) -> None:
        """Read what the cache has."""
        folder = cache.cache_dir()
        for path in sorted(folder.glob(f"{self.entry}-*.npy")) if folder.is_dir() else ():
            found = entries.read(path)
            if found is not None and found[1].get("features") == self.entry:
                self._learn(found[0])

    def _learn(self, rows: np.ndarray) -> None:
        values = torch.from_numpy(rows[:, DIGEST:].copy().view(np.float32))
        for row, value in zip(rows, values, strict=True):
            self._known[row[:DIGEST].tobytes()] = value

    def _ask(self, marks: Sequence[bytes], kept: Tensor) -> None:
        """Ask the network of pictures that are new, and keep what it says."""
        made = [*self._rows(marks, kept)]
        self._learn(np.concatenate(made))
        content = entries.Content(
            (len(marks), made[0].shape[1]),
            made,
            {"features": self.entry},
            source=f"features of {len(marks):,} pictures",
        )
        with suppress(OSError):  # a cache that cannot be written: asked again next time
            cache.cached(self.entry, {"pictures": [m.hex() for m in marks]}, lambda: content)

    def _rows(self, marks: Sequence[bytes], kept: Tensor) -> Iterator[np.ndarray]:
        """`DIGEST` bytes of a picture and its features' bytes, some rows at a time."""
        bar = tqdm(desc="features", total=len(kept), unit="picture", leave=False, delay=2)
        with bar:
            for some in answers(self.network, kept, self.preparation.scaled):
                values = np.ascontiguousarray(some.numpy(), np.float32).view(np.uint8)
                here, marks = b"".join(marks[: len(some)]), marks[len(some) :]
                yield np.hstack([np.frombuffer(here, np.uint8).reshape(-1, DIGEST), values])
                bar.update(len(some))
