"""Pen strokes as a picture like those that a network for drawings was trained on.

Measured on Omniglot's background set, 3,000 drawings of 105 x 105 pixels (mean, and the standard
deviation between drawings):

    longest side of the ink's box    67.9 +- 13.4 pixels (width 55.4, height 62.0)
    middle of the box                51.1 +- 5.5 across, 50.8 +- 5.3 down
    width of a stroke                5.0 +- 0.5 pixels
    share of ink                     7.8 +- 2.8 %

The strokes of 48 of these drawings, as a pen left them, become nearly the set's own pictures with
a round pen of 5 pixels: the ink's overlap (intersection over union) is 0.94 in the mean, and 0.88
at least. So that is the pen here. Whatever size a drawing has on the page, its box gets the mean
size in the mean place, in its own proportions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


Point = tuple[float, float]
Stroke = Sequence[Point]
Drawing = Sequence[Stroke]
"""Strokes in the order drawn; x and y from 0 to 1, y downwards."""

SIDE = 105
"""Height and width of a picture in pixels, as Omniglot's."""
PEN = 5.0
LONGEST = 68.0
"""The longer side of a drawing's box, pen included."""
MIDDLE = 51.0
"""Where that box has its middle, in pixels from the left and from above."""
ENLARGED = 3.0
"""A drawing is enlarged at most so much: a dot stays a dot."""

INK, PAPER = 0, 255
STEP = 1.0
"""Pixels between two touches of the pen on its way."""


def picture(drawing: Drawing) -> np.ndarray:
    """A drawing on the page as a picture [SIDE, SIDE] uint8, `INK` on `PAPER`."""
    return inked(placed([np.asarray(stroke, dtype=float) for stroke in drawing]))


def placed(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Strokes [n, 2] in the unit square as strokes in pixels, of the usual size and place.

    A point is in pixels what its pixel's number is: the middle of the first one is 0.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    scale = min((LONGEST - PEN) / extent if extent else np.inf, ENLARGED * SIDE)
    return [(stroke - (low + high) / 2) * scale + MIDDLE - 0.5 for stroke in strokes]


def inked(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """What a round pen leaves on paper that follows strokes [n, 2] in pixels."""
    touches = np.concatenate([_followed(stroke) for stroke in strokes])
    reach = np.arange(-int(PEN // 2) - 1, int(PEN // 2) + 2)
    around = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    pixels = np.round(touches).astype(int)[:, None] + around
    near = ((pixels - touches[:, None]) ** 2).sum(axis=-1) <= (PEN / 2) ** 2
    inside = ((pixels >= 0) & (pixels < SIDE)).all(axis=-1)
    column, row = pixels[near & inside].T
    paper = np.full((SIDE, SIDE), PAPER, dtype=np.uint8)
    paper[row, column] = INK
    return paper


def _followed(stroke: np.ndarray) -> np.ndarray:
    """The places [m, 2] that a pen touches along a stroke [n, 2], its points included."""
    lengths = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    stops = np.union1d(np.arange(0, along[-1], STEP), along)
    return np.stack([np.interp(stops, along, values) for values in stroke.T], axis=1)
