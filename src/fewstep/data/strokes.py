"""Procedural characters: random stroke programs, and drawings of them by unsteady hands.

A character is one to four strokes, each a line, a corner, an arc or a wave through a few control
points. A drawing moves those points a little, slants and stretches the whole, and picks a pen. All
of it is arithmetic that IEEE 754 rounds in one way only (+ - * /, comparisons, integers; no sine,
no matrix product), so a drawing is the same bit for bit in any batch, thread and machine.

Shapes: c characters, d drawings of each, s strokes, p control points of a stroke, t samples of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


STROKES, POINTS, SAMPLES = 4, 5, 80

PROGRAM_WORDS = 64
"""Random words a character takes; a multiple of 4, Philox's block."""
DRAWING_WORDS = 56

JOINED = 0.6
"""The share of strokes that begin on the stroke before."""

# How unsteady hands are, as half-widths of uniform noise in units of the character's box.
# Chosen for a 5-way 1-shot nearest neighbour on raw pixels: right in 40 % (Omniglot: 37 %).
WOBBLE = 0.08  # of each control point
DRIFT = 0.08  # of each stroke
SLANT = 0.25  # of each entry of the affine map
SHIFT = 0.08  # of the whole drawing


class Programs(NamedTuple):
    """The characters: what all drawings of one have in common."""

    control: np.ndarray
    """[c, s, 2, p] float32, coordinates in the unit square, x before y."""
    kind: np.ndarray
    """[c, s] int64, rows of `BLENDS`."""
    present: np.ndarray
    """[c, s] bool, which strokes the character has."""


def _blends() -> np.ndarray:
    """How each kind of stroke mixes its control points at each of its samples: [kind, p, t].

    Line and corner are piecewise linear, the arc is a quadratic Bezier curve, the wave a
    Catmull-Rom spline. The weights of a sample add up to 1, so moving all points moves the stroke.
    """
    t = np.linspace(0, 1, SAMPLES)
    line, corner, arc, wave = np.zeros((4, POINTS, SAMPLES))
    line[:2] = 1 - t, t
    corner[:3] = np.maximum(1 - 2 * t, 0), 1 - np.abs(1 - 2 * t), np.maximum(2 * t - 1, 0)
    arc[:3] = (1 - t) ** 2, 2 * t * (1 - t), t**2
    for sample, place in enumerate(t * (POINTS - 1)):
        knot = min(int(place), POINTS - 2)
        u = place - knot
        uu, uuu = u * u, u * u * u
        weights = (
            (-u + 2 * uu - uuu) / 2,
            (2 - 5 * uu + 3 * uuu) / 2,
            (u + 4 * uu - 3 * uuu) / 2,
            (uuu - uu) / 2,
        )
        for neighbour, weight in zip(range(knot - 1, knot + 3), weights, strict=True):
            wave[min(max(neighbour, 0), POINTS - 1), sample] += weight
    return np.stack([line, corner, arc, wave]).astype(np.float32)


BLENDS = _blends()


def programs(words: np.ndarray) -> Programs:
    """Characters from random words [c, PROGRAM_WORDS], one a row."""
    u = iter(np.moveaxis(_uniform(words), 1, 0))
    count = 1 + np.searchsorted(np.array([0.15, 0.5, 0.85], np.float32), next(u))
    present = np.arange(STROKES) < count[:, None]
    kind = np.stack([(next(u) * len(BLENDS)).astype(np.int64) for _ in range(STROKES)], axis=1)
    kind[count == 1, 0] = len(BLENDS) - 1  # a lone stroke is a wave: lone lines are all alike

    control = np.empty((len(words), STROKES, 2, POINTS), dtype=np.float32)
    for stroke in range(STROKES):
        start = np.stack([next(u), next(u)], axis=1)
        joins, joint = next(u), (next(u) * 3).astype(np.int64)
        if stroke > 0:
            previous = control[np.arange(len(words)), stroke - 1, :, joint]
            start = np.where((joins < JOINED)[:, None], previous, start)
        control[:, stroke, :, 0] = start
        for point in range(1, POINTS):
            step = np.stack([next(u), next(u)], axis=1) - np.float32(0.5)
            place = np.abs(control[:, stroke, :, point - 1] + step * np.float32(1.4))
            control[:, stroke, :, point] = 1 - np.abs(1 - place)  # bounced off the walls
    return Programs(_fitted(control, kind, present), kind, present)


def draw(characters: Programs, words: np.ndarray, size: int) -> np.ndarray:
    """Drawings [c, d, size, size] uint8, ink 255 on 0, from random words [c, d, DRAWING_WORDS]."""
    c, d, _ = words.shape
    noise = _uniform(words) * 2 - 1
    wobble, drift, slant, shift, pen = np.split(noise, (40, 48, 52, 54), axis=2)
    control = characters.control[:, None] - np.float32(0.5)
    control = control + wobble.reshape(c, d, STROKES, 2, POINTS) * np.float32(WOBBLE)
    control += drift.reshape(c, d, STROKES, 2, 1) * np.float32(DRIFT)
    slant = slant.reshape(c, d, 2, 2, 1, 1) * np.float32(SLANT)
    x, y = control[:, :, :, 0], control[:, :, :, 1]
    moved = [
        v + slant[:, :, i, 0] * x + slant[:, :, i, 1] * y + shift[:, :, i, None, None] * SHIFT
        for i, v in enumerate((x, y))
    ]
    column, row = (
        _sampled(v + np.float32(0.5), characters.kind[:, None]).reshape(c * d, STROKES, SAMPLES)
        for v in moved
    )
    present = np.repeat(characters.present, d, axis=0)
    broad = pen[:, :, 0].reshape(-1) > 0
    return _inked(column, row, present, broad, size).reshape(c, d, size, size)


def _inked(
    column: np.ndarray, row: np.ndarray, present: np.ndarray, broad: np.ndarray, size: int
) -> np.ndarray:
    """Images [n, size, size] of stroke samples [n, s, t] in the unit square.

    Samples are dots on a canvas of twice the size, which a square pen of 2 or (`broad`) 3 canvas
    pixels thickens; the average of 2x2 canvas pixels is a pixel. A dot is a dot however often it
    is set, so the order in which that happens cannot matter.
    """
    n, side = len(column), 2 * size
    canvas = np.zeros((n, side, side), dtype=np.uint8)
    at = [np.clip((v * side).astype(np.int32), 0, side - 3) for v in (row, column)]
    dots = (np.arange(n) * side**2)[:, None, None] + at[0] * side + at[1]
    canvas.reshape(-1)[dots[present].reshape(-1)] = 1
    canvas = _thickened(canvas)
    canvas[broad] = _thickened(canvas[broad])
    ink = canvas[:, ::2, ::2] + canvas[:, 1::2, ::2] + canvas[:, ::2, 1::2] + canvas[:, 1::2, 1::2]
    return np.array([0, 64, 128, 191, 255], dtype=np.uint8)[ink]


def _thickened(canvas: np.ndarray) -> np.ndarray:
    """Every dot spread to its right and lower neighbours."""
    wide = canvas.copy()
    wide[:, :, 1:] |= canvas[:, :, :-1]
    high = wide.copy()
    high[:, 1:] |= wide[:, :-1]
    return high


def _sampled(control: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Strokes [..., s, t] from one coordinate of their control points [..., s, p]."""
    weights = BLENDS[kind]
    total = weights[..., 0, :] * control[..., 0, None]
    for point in range(1, POINTS):  # a sum in a fixed order, unlike a matrix product's
        total += weights[..., point, :] * control[..., point, None]
    return total


def _fitted(control: np.ndarray, kind: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The control points moved and scaled so that the character fills a box of 0.7, centred."""
    strokes = np.stack([_sampled(control[:, :, axis], kind) for axis in (0, 1)], axis=2)
    there = present[:, :, None, None]
    low = np.where(there, strokes, np.inf).min(axis=(1, 3)).astype(np.float32)
    high = np.where(there, strokes, -np.inf).max(axis=(1, 3)).astype(np.float32)
    scale = np.float32(0.7) / np.maximum((high - low).max(axis=1), np.float32(0.2))
    middle = (low + high) / 2
    return (control - middle[:, None, :, None]) * scale[:, None, None, None] + np.float32(0.5)


def _uniform(words: np.ndarray) -> np.ndarray:
    """Random words as float32 in [0, 1): 24 bits, all that a float32 holds exactly."""
    return (words >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
