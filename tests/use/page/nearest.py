"""A stand-in for an initialization: the nearest class mean of pixels, at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Nearest:
    """What is adapted, and the classifier that comes of it."""

    def __init__(self) -> None:
        self.adaptations = 0
        self.curve = [(0, 1.6), (1, 0.4), (2, float("nan"))]

    def adapt(self, images: Sequence[np.ndarray], labels: Sequence[str]) -> Nearest:
        """A classifier; this one counts what it is asked for."""
        self.adaptations += 1
        made = Nearest()
        made.classes_ = sorted(set(labels), reverse=True)  # in an order that is not the page's
        made.means = [
            np.mean([i for i, label in zip(images, labels, strict=True) if label == c], axis=0)
            for c in made.classes_
        ]
        return made

    def predict_proba(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """By the distance of pixels to the mean of each class."""
        apart = np.array([[np.abs(i - mean).mean() for mean in self.means] for i in images])
        likely = np.exp(-apart)
        return likely / likely.sum(axis=1, keepdims=True)

    def seen(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Every fourth pixel [n, 27, 27, 1]."""
        return np.stack(images)[:, ::4, ::4, None]
