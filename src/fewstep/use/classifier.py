"""A classifier: a plain network with names for its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewstep.data.images.preparation import HALF, Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.use.expected import Expected, expect
from fewstep.use.inputs import kept_of
from fewstep.use.labels import as_array, listed
from fewstep.use.origin import Origin
from fewstep.use.saving import save
from fewstep.use.surroundings import as_usual
from fewstep.use.threads import one_thread
from fewstep.use.way import Curve, Way, answers


class Classifier:
    """What a few examples have made of an initialization; it is asked, measured and saved.

    `fewstep.load(...).adapt(...)` makes one, `fewstep.load_classifier` reads a saved one.
    """

    def __init__(self, way: Way, classes: Sequence[Any], network: nn.Module) -> None:
        self.way = way
        self.network = network
        """From inputs [B, *x] to logits [B, N]; in evaluation mode, no answer hangs on another."""
        self.classes = list(classes)
        self.temperature = 1.0
        """What logits are divided by, so that probabilities are what they say: by `evaluate`."""
        self.curve: Curve = []
        """`(inner step, mean loss on the given examples)`."""
        self.expected: Expected | None = None
        """What `evaluate` found."""
        self._kept: tuple[Tensor, Tensor] | None = None

    @classmethod
    def learned(cls, way: Way, classes: Sequence[Any], kept: Tensor, y: Tensor) -> Classifier:
        """Learn the classes [N] from pixels or rows [n, ...] and their classes' places [n]."""
        network, curve = way.learn(way.represented(kept), y, len(classes))
        made = cls(way, classes, way.whole(network))
        made.curve, made._kept = curve, (kept, y)
        return made

    @property
    def classes_(self) -> np.ndarray:
        """The classes [N], in the order of `predict_proba`'s columns."""
        return as_array(self.classes)

    @property
    def given(self) -> list[Any]:
        """The class of each picture that it learned; none where it was loaded."""
        return [] if self._kept is None else [self.classes[c] for c in self._kept[1].tolist()]

    @property
    def preparation(self) -> Preparation | None:
        """How pictures become inputs; None for rows of numbers."""
        return self.way.preparation

    @property
    def rows(self) -> RowPreparation | None:
        """How rows become inputs: of their shape and kind in training, where that says so; else of
        those that it was adapted to. None for pictures, and where neither is known."""
        if self.preparation is not None or self.way.rows is not None or self._kept is None:
            return self.way.rows
        return RowPreparation(tuple(self._kept[0].shape[1:]))

    @property
    def origin(self) -> Origin:
        """What it was adapted from."""
        return self.way.origin

    def predict(self, images: Any) -> np.ndarray:
        """The likeliest class of each picture: [n].

        Raises:
            ValueError: what is no picture, by its place; or rows of another length.
        """
        return self.classes_[self.predict_proba(images).argmax(1)]

    def predict_proba(self, images: Any) -> np.ndarray:
        """The probability of each class for each picture: [n, N] float64, rows that sum to 1.

        Raises:
            ValueError: as `predict`.
        """
        return self.probabilities(self.kept(images)).numpy()

    def score(self, images: Any, labels: Any) -> float:
        """The share of right answers.

        Raises:
            ValueError: as `predict`, or another number of labels than pictures.
        """
        right = self.predict(images).tolist()
        given = listed(labels)
        if len(given) != len(right):
            raise ConfigError(f"labels: there are {len(given)}, and {len(right)} pictures")
        return sum(a == b for a, b in zip(right, given, strict=True)) / len(right)

    def seen(self, images: Any) -> np.ndarray:
        """Pictures as the network sees them: [n, S, S, C] uint8.

        Raises:
            ValueError: as `predict`; or for a classifier of rows.
        """
        if self.preparation is None:
            raise ConfigError("seen: this classifier is of rows of numbers, not of pictures")
        pixels = self.preparation.seen(self.kept(images))
        return (255 * (pixels >= HALF).byte() if self.preparation.cut else pixels).numpy()

    def kept(self, images: Any) -> Tensor:
        """Pictures of any form as pixels [n, S, S, C] uint8, or rows [n, d].

        Raises:
            ValueError: as `predict`.
        """
        return kept_of(images, self.preparation, self.rows)

    @as_usual()
    def probabilities(self, kept: Tensor) -> Tensor:
        """[n, N] float64 for what `kept` gives."""
        with one_thread() if self.way.represent is None else nullcontext():
            logits = torch.cat([*answers(self.network, kept, self.way.inputs)])
        return torch.softmax(logits.double() / self.temperature, 1)

    @as_usual()
    def evaluate(self, progress: bool = False) -> Expected:
        """What to expect on other pictures, and calibrate `predict_proba` by it.

        Every given picture is left out once, and told by what the others teach; above 30
        pictures, a tenth of each class at a time. A 95 % interval, Wilson's but for its
        upper end (`fewstep.use.expected.interval`).

        Args:
            progress: show a bar on stderr.

        Raises:
            ValueError: this classifier was loaded, and its pictures are not kept: what was found
                then is `expected`.
        """
        if self._kept is None:
            raise ConfigError(
                "evaluate: a classifier that was loaded has no pictures; what was found when it "
                "was made is in `expected`. Adapt again to measure again"
            )
        kept, y = self._kept
        x = self.way.represented(kept)
        self.expected = expect(self.way.left_out, x, y, self.classes, progress)
        self.temperature = self.expected.temperature
        return self.expected

    def save(self, folder: str | Path) -> Path:
        """Write `classifier.json` and `weights.safetensors` into a folder of their own; the folder.
        A classifier that is there is replaced as a whole, its `expected.png` with it.

        Raises:
            ValueError: classes that a file cannot hold, a network that was not made from a
                configuration, or a folder that has anything but a classifier in it.
            CannotWrite: naming the path, the reason and the fix.
        """
        return save(self, expanded(folder, "folder"))
