"""The classifiers that the page has asked for last, by what they were adapted to.

Every tab brings its own drawings and gets its own classifier; what it has drawn is known here by
an identifier that nobody can guess. All of it is in memory and goes with the process.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fewstep.use.page.asked import Examples, Refused
from fewstep.use.page.drawings import Drawing, picture


MOST = 32
"""Classifiers that are kept: some half a megabyte each with the network for Omniglot."""


class Classifier(Protocol):
    """What is asked of an adapted classifier."""

    @property
    def curve(self) -> Sequence[tuple[int, float]]:
        """The loss on the examples after each inner step that was measured."""
        ...

    @property
    def classes_(self) -> Iterable[str]:
        """The classes in the order of the probabilities."""
        ...

    def predict_proba(self, images: Sequence[Any]) -> np.ndarray:
        """Probabilities [n, N] of n pictures."""
        ...

    def seen(self, images: Sequence[Any]) -> np.ndarray:
        """The pictures as the network sees them [n, S, S, C] uint8."""
        ...


class Initialization(Protocol):
    """What a classifier is made from."""

    def adapt(self, images: Sequence[Any], labels: Sequence[str]) -> Classifier:
        """A classifier for the classes of these pictures."""
        ...


@dataclass(frozen=True)
class Fit:
    """A classifier, what it was adapted to, and how long that took."""

    id: str
    examples: Examples
    classifier: Classifier
    seen: np.ndarray
    """All examples as the network sees them [n, S, S, C], class after class."""
    seconds: float

    def of(self, drawing: Drawing) -> tuple[list[float], np.ndarray]:
        """The probability of each class of the examples, and what the network sees."""
        pictures = [picture(drawing)]
        found = self.classifier.predict_proba(pictures)[0]
        by_name = dict(zip(self.classifier.classes_, found, strict=True))
        return [float(by_name[n]) for n in self.examples.names], self.classifier.seen(pictures)[0]


class Fits:
    """The last `MOST` classifiers that were made from an initialization."""

    def __init__(self, init: Initialization) -> None:
        self._init = init
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[str, Fit] = OrderedDict()
        self._one = threading.Lock()
        """Adapting takes all there is of a processor: one after the other is not slower."""

    def adapted(self, examples: Examples) -> Fit:
        """The classifier for these examples, made now unless it is among the last ones."""
        text = json.dumps([examples.names, examples.drawings]).encode()
        id = hashlib.blake2b(text, key=self._key, digest_size=16).hexdigest()
        with self._one:
            if id not in self._kept:
                self._kept[id] = self._made(id, examples)
            self._kept.move_to_end(id)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return self._kept[id]

    def get(self, id: Any) -> Fit:
        """The classifier with an identifier.

        Raises:
            Refused: it is not, or no longer, among the last ones.
        """
        fit = self._kept.get(id) if isinstance(id, str) else None
        if fit is None:
            raise Refused(404, "this classifier is no longer here: adapt again")
        return fit

    def _made(self, id: str, examples: Examples) -> Fit:
        start = time.perf_counter()
        pictures, labels = [], []
        for name, drawings in zip(examples.names, examples.drawings, strict=True):
            pictures += [picture(drawing) for drawing in drawings]
            labels += [name] * len(drawings)
        classifier = self._init.adapt(pictures, labels)
        seconds = time.perf_counter() - start
        return Fit(id, examples, classifier, classifier.seen(pictures), seconds)
