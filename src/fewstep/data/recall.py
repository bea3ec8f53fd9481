"""Recall: a context with needles in it, a question, and the answer that only the needle has.

A needle is a key and its two values, `k v1 v2`, among fillers; the question names one of the keys
and the answer is `v1 v2`. The support of a task is its queries, as a fine-tuning has one loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.peek import seen
from fewstep.core.types import Episode, EpisodeSpec, Metrics, Params
from fewstep.data.family import Family, Made
from fewstep.data.options import check_count, is_count, is_mapping, must_be, some
from fewstep.data.sampler import IMAGES, Draws, permutation_prefix


ANSWER = 2
"""Tokens of an answer."""
IGNORED = -100
"""The target of a token that nobody is asked for."""
FAR, FRESH = 1 << 20, 1 << 21
"""Streams of the longer contexts, and of what a task starts anew."""


@dataclass(frozen=True)
class Answers:
    """Cross-entropy of the answer's tokens; right is an answer all of whose tokens are."""

    unit: ClassVar[str] = "cross-entropy, nats"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the answer's tokens: [B] of logits [B, T, V] and targets [B, T]."""
        losses = F.cross_entropy(outputs.transpose(1, 2), targets, reduction="none")
        return losses.sum(1) / (targets != IGNORED).sum(1)

    outer_loss = inner_loss

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        """`loss`, and `acc`, the fraction of answers that are right as a whole, each token given
        the ones before it."""
        right = (outputs.argmax(-1) == targets) | (targets == IGNORED)
        loss = self.inner_loss(outputs, targets).mean()
        return {"loss": loss, "acc": right.all(1).to(outputs.dtype).mean()}

    def probe(self, net: Net, params: Params, episode: Episode) -> Metrics:
        """`needle_mass`, how much of their attention the answer's tokens have on the needle that is
        asked for, and `far_acc`, the accuracy in longer contexts, where a task brings these."""
        extras, found = episode.extras, {}
        if "needles" in extras:
            weights = torch.stack(seen(net, params, episode.query_x, "attends"))
            found["needle_mass"] = mass(weights, episode.query_y, extras["needles"])
        if "far.x" in extras:
            found["far_acc"] = self.metrics(net(params, extras["far.x"]), extras["far.y"])["acc"]
        return found


def mass(weights: Tensor, targets: Tensor, needles: Tensor) -> Tensor:
    """The mean over layers, heads and answer tokens of the attention on some places [B, T]."""
    on_needles = (weights * needles[:, None, None].to(weights.dtype)).sum(-1).mean((0, 2))
    asked = (targets != IGNORED).to(weights.dtype)
    return ((on_needles * asked).sum(1) / asked.sum(1)).mean()


@dataclass
class Recall(Family):
    """Contexts of `length` tokens with so many `needles`; nothing is read and nothing cached."""

    length: int = 16
    """Tokens before the answer, the question included."""
    needles: int = 3
    kinds: Sequence[int] = (8, 8, 8)
    """Keys, values and fillers that there are; one token more begins the question."""
    far: int | None = None
    """Tokens of the longer contexts that validation and test ask in as well."""
    fresh: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Shapes [r, inputs] of parameters that a task brings anew, uniform on +-1 / sqrt(inputs)."""

    name: ClassVar[str] = "recall"
    asks_support: ClassVar[bool] = True
    """The queries are the support set: a step at meta-test would be shown the answers."""
    objective: Answers = field(default_factory=Answers, init=False)

    def __post_init__(self) -> None:
        kinds = "three numbers of at least 1, of keys, values and fillers"
        must_be("kinds", self.kinds, some(is_count, 3, 3), kinds, "[8,8,8]")
        least = self.least
        if self.needles < 1 or self.needles > self.kinds[0]:
            raise ValueError(
                f"dataset.needles={self.needles}: must be from 1 to {self.kinds[0]}, the keys of "
                "dataset.kinds, for each has its own"
            )
        for key in ("length", "far"):
            value = getattr(self, key)
            if value is not None and value < least:
                raise ValueError(
                    f"dataset.{key}={value}: {self.needles} needles of 3 tokens and a question of "
                    f"2 need at least {least}. Raise it, or lower dataset.needles"
                )
        check_count("length", self.length, 16, least)
        if self.far is not None:
            check_count("far", self.far, 4 * self.length, least)
            if self.far <= self.length:
                raise ValueError(
                    f"dataset.far={self.far}: must be more than dataset.length={self.length}, for "
                    f"these are the longer contexts. For example dataset.far={4 * self.length}"
                )
        must_be("fresh", self.fresh, is_mapping, "shapes by name", "'{lora_A: [2,48]}'")
        for name, shape in self.fresh.items():
            must_be(f"fresh.{name}", shape, some(is_count), "a shape of counts", "[2,48]")

    @property
    def least(self) -> int:
        """Tokens of a context without fillers."""
        return 3 * self.needles + 2

    def settings(self) -> dict[str, Any]:
        """All but what a task brings anew beside its contexts."""
        return {name: value for name, value in super().settings().items() if name != "fresh"}

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """x [S, 2, T] int64, tokens and response flags, and y [S, T] int64, the next token where it
        is one of the answer; the queries are the support."""
        x, y, needles = self._asked(draws, spec.shots, self.length)
        extras = {"needles": needles, **self._fresh(draws)}
        if self.far and draws.split != "train":
            extras["far.x"], extras["far.y"], _ = self._asked(draws, spec.shots, self.far, FAR)
        return Made(x, y, x, y, extras)

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """The tokens as little-endian int64."""
        return self._asked(draws, spec.shots, self.length)[0].astype("<i8").tobytes()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        if spec.ways != 1:
            raise ValueError(f"shots.ways={spec.ways}: a recall task is one; set it to 1")

    def _asked(
        self, draws: Draws, count: int, length: int, first: int = 0
    ) -> tuple[np.ndarray, ...]:
        """x [count, 2, T], y [count, T] and where the needle is, [count, T] bool; of the streams
        from `first` on."""
        rows = [self._one(draws, IMAGES + first + i, length) for i in range(count)]
        x, y, needles = (np.stack(part) for part in zip(*rows, strict=True))
        return x, y, needles

    def _one(self, draws: Draws, stream: int, length: int) -> tuple[np.ndarray, ...]:
        keys, values, fillers = self.kinds
        m, items = self.needles, length - self.least + self.needles
        words = [int(word) for word in draws.words(stream, 4 * m + items + 1)]
        chosen = permutation_prefix(words[:m], keys)
        places = permutation_prefix(words[m : 2 * m], items)
        pairs = [keys + (word * values >> 64) for word in words[2 * m : 4 * m]]
        rest = [[keys + values + (word * fillers >> 64)] for word in words[4 * m : 4 * m + items]]
        for i, place in enumerate(places):
            rest[place] = [chosen[i], *pairs[2 * i : 2 * i + 2]]
        asked = words[-1] * m >> 64
        answer = pairs[2 * asked : 2 * asked + 2]
        context = [token for item in rest for token in item]
        tokens = [*context, keys + values + fillers, chosen[asked], *answer]
        flags = [0] * length + [1] * ANSWER
        targets = [IGNORED] * (length - 1) + [*answer, IGNORED]
        begin = sum(len(item) for item in rest[: places[asked]])
        needle = [begin <= t < begin + 3 for t in range(length + ANSWER)]
        return np.array([tokens, flags]), np.array(targets), np.array(needle)

    def _fresh(self, draws: Draws) -> dict[str, np.ndarray]:
        found = {}
        for number, (name, shape) in enumerate(self.fresh.items()):
            words = draws.words(IMAGES + FRESH + number, math.prod(shape))
            uniform = 2 * (words / 2.0**64) - 1
            found[f"fresh.{name}"] = uniform.reshape(*shape) / math.sqrt(shape[-1])
        return found
