"""Conversations of a user's own, an example a task, as fine-tuning takes them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.recall import IGNORED, Answers
from fewstep.data.rows import placed
from fewstep.data.sampler import Draws, check_counts
from fewstep.disk.array_files import UNREADABLE, reason
from fewstep.disk.homes import expanded


PARTS = ("tokens", "responses")
TEST = 0.05
"""The share of the examples that is the test split: the last ones."""


@dataclass
class Conversations:
    """An `.npz` file with `tokens` [n, T] and `responses` [n, T], 1 where a token is one of an
    answer; opened when the first task is. Examples that are in the test split as well are left out
    of the training."""

    file: str | Path | None = None

    name: ClassVar[str] = "conversations"
    asks_support: ClassVar[bool] = True
    """As of dataset=recall."""
    objective: Answers = field(default_factory=Answers, init=False)

    def open(self) -> dict[str, ConversationSplit]:
        """The splits `train` and `test`.

        Raises:
            FileNotFoundError: no file, or none that is there.
            ValueError: it has no such arrays, or no examples that only training has.
        """
        rows = self.rows
        cut = min(len(rows) - 1, round(len(rows) * (1 - TEST)))
        parts = {"train": self._new(rows[:cut], rows[cut:]), "test": rows[cut:]}
        digest = sha256(b"".join(part.tobytes() for part in parts.values())).hexdigest()
        return {name: ConversationSplit(name, part, digest) for name, part in parts.items()}

    def _new(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Those of the training examples whose tokens no test example has."""
        asked = {tokens.tobytes() for tokens in test[:, 0]}
        new = np.array([tokens.tobytes() not in asked for tokens in train[:, 0]])
        if not new.any():
            raise ValueError(
                f"dataset.file={self.file}: each of its first {len(train)} examples is among the "
                f"last {len(test)}, which are the test, so that none is left to train on. Give "
                "each once"
            )
        if not new.all():
            warnings.warn(
                f"dataset.file={self.file}: {(~new).sum()} of {len(train)} training examples are "
                "in the test split as well, and are left out of the training",
                stacklevel=3,
            )
        return train[new]

    @cached_property
    def rows(self) -> np.ndarray:
        """[n, 2, T] int64."""
        path = None if self.file is None else expanded(self.file, "dataset.file")
        if path is None or not path.is_file():
            raise FileNotFoundError(
                f"dataset.file={self.file}: bring conversations of your own, an .npz file with "
                "tokens and responses, both [examples, tokens]"
            )
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
                arrays = {n: found[n] for n in PARTS if n in found}
        except UNREADABLE as error:
            raise ValueError(
                f"dataset.file={self.file}: must be an .npz file with tokens and responses, both "
                f"[examples, tokens] ({reason(error, path)})"
            ) from None
        if missing := [part for part in PARTS if part not in arrays]:
            raise ValueError(f"dataset.file={self.file}: has no {' and no '.join(missing)}")
        tokens, responses = (arrays[part] for part in PARTS)
        if tokens.ndim != 2 or tokens.shape != responses.shape or len(tokens) < 2:
            raise ValueError(
                f"dataset.file={self.file}: has tokens of {list(tokens.shape)} and responses of "
                f"{list(responses.shape)}: must be [examples, tokens] both, of two examples or more"
            )
        for part, values in arrays.items():
            if values.dtype.kind not in "biu":
                raise ValueError(
                    f"dataset.file={self.file}: {part} are {values.dtype}: must be whole numbers"
                )
        silent = np.flatnonzero(~(responses[:, 1:] == 1).any(1))
        if len(silent):
            raise ValueError(
                f"dataset.file={self.file}: example {silent[0]} has no response after its first "
                "token, so that nothing of it is learned. Mark one with 1 in responses, or leave "
                "the example out"
            )
        return np.stack([tokens, responses], 1).astype(np.int64)


@dataclass(frozen=True)
class ConversationSplit:
    """Some examples a task; implements `fewstep.core.types.Split`."""

    interval = "closed"

    name: str
    rows: np.ndarray
    data_sha256: str = ""
    """Of all examples, those of the other split among them."""
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32

    def to(self, device: torch.device | str, dtype: torch.dtype) -> ConversationSplit:
        """The same split with its episodes on a device."""
        return replace(self, device=device, dtype=dtype)

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`: x [S, 2, T] and y [S, T], the next token where it is a response's."""
        self.check(spec)
        draws = Draws(seed, self.name, index)
        x = self.rows[self._places(spec, draws)]
        ends = np.full((len(x), 1), IGNORED)
        y = np.concatenate([np.where(x[:, 1, 1:] == 1, x[:, 0, 1:], IGNORED), ends], 1)
        parts = (placed(v, self.device, self.dtype) for v in (x, y, draws.batches(spec)))
        x, y, batches = parts
        return Episode(x, y, x, y, batches, placed(draws.key(), self.device, self.dtype))

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """The numbers of the examples as little-endian int64."""
        return np.array(self._places(spec, Draws(seed, self.name, index)), "<i8").tobytes()

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError if a spec asks for several ways, or for more than there is."""
        check_counts(spec)
        if spec.ways != 1 or spec.shots > len(self.rows):
            raise ValueError(
                f"shots.ways={spec.ways}, shots={spec.shots}: a task is one conversation or some, "
                f"and the {self.name} split has {len(self.rows)}. Use shots.ways=1 and fewer shots"
            )

    def _places(self, spec: EpisodeSpec, draws: Draws) -> list[int]:
        return draws.images(0, spec.shots, len(self.rows))
