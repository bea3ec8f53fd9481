"""Strokes become pictures like the training set's."""

from __future__ import annotations

import io
import itertools
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from fewstep.use.loading import load
from fewstep.use.page.drawings import INK, LONGEST, MIDDLE, PEN, SIDE, inked, picture


CROSS = [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]]


def box(pixels: np.ndarray) -> tuple[float, float, float]:
    """The longer side of the ink's box, and its middle across and down."""
    rows, columns = np.nonzero(pixels == INK)
    middles = [(values.min() + values.max() + 1) / 2 for values in (columns, rows)]
    return max(np.ptp(rows), np.ptp(columns)) + 1, *middles


def moved(drawing, scale: float, right: float, down: float):
    return [[(scale * x + right, scale * y + down) for x, y in stroke] for stroke in drawing]


@pytest.mark.parametrize("place", [(1, 0, 0), (0.5, 0.4, 0.1), (1.2, -0.1, -0.1)])
def test_size_and_place_on_the_page_do_not_matter(place):
    pixels = picture(moved(CROSS, *place))
    assert box(pixels) == pytest.approx((LONGEST, MIDDLE, MIDDLE), abs=1)
    assert (pixels != picture(CROSS)).mean() < 0.01


def test_proportions_stay_and_a_dot_stays_a_dot():
    flat = picture([[(0.1, 0.5), (0.9, 0.5)]])
    rows, columns = np.nonzero(flat == INK)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == pytest.approx((PEN, LONGEST), abs=1)
    for dot in ([[(0.3, 0.9)]], [[(0.3, 0.9), (0.3, 0.9)]], [[(0.3, 0.9), (0.305, 0.9)]]):
        assert box(picture(dot)) == pytest.approx((PEN, MIDDLE, MIDDLE), abs=2)


def test_the_edge_of_the_paper_cuts_ink_off():
    pixels = inked([np.array([[-20.0, 50], [SIDE + 20, 50]])])
    assert (pixels[50] == INK).all()
    assert (pixels == INK).sum() == PEN * SIDE


def test_pen_strokes_give_omniglots_own_pictures(real_data):
    strokes = json.loads((real_data / "strokes.json").read_text())
    overlaps, shares = [], []
    with zipfile.ZipFile(real_data / "omniglot-py" / "images_background.zip") as archive:
        for character, drawings in strokes.items():
            names = sorted(n for n in archive.namelist() if f"/{character}/" in n and ".png" in n)
            for name, drawing in zip(names[:3], drawings[:3], strict=True):
                theirs = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) < 128
                ours = as_drawn(drawing) == INK
                overlaps.append((theirs & ours).sum() / (theirs | ours).sum())
                shares.append(ours.sum() / theirs.sum())
    assert min(overlaps) > 0.85
    assert np.mean(overlaps) > 0.92
    assert np.mean(shares) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_placing_a_drawing_is_worth_it(real_data):
    """The figures of docs/draw.md: every choice of five characters, every person's as examples."""
    strokes = json.loads((real_data / "strokes.json").read_text())
    init, found = load("omniglot"), {}
    for name, drawn in (("placed", lambda d: picture(shares(d))), ("as drawn", as_drawn)):
        pictures = {c: [drawn(d) for d in drawings] for c, drawings in strokes.items()}
        right = []
        for left_out, person in itertools.product(strokes, range(8)):
            five = [c for c in strokes if c != left_out]
            classifier = init.adapt([pictures[c][person] for c in five], five)
            asks = [(c, pictures[c][i]) for c in five for i in range(8) if i != person]
            told = classifier.predict([one for _, one in asks])
            right += [answer == c for answer, (c, _) in zip(told, asks, strict=True)]
        assert len(right) == 1680
        found[name] = np.mean(right)
    print(found)
    assert found["placed"] > 0.98
    assert found["as drawn"] < 0.96


def shares(drawing):
    return [[(x / SIDE, y / SIDE) for x, y in stroke] for stroke in drawing]


def as_drawn(drawing):
    return inked([np.array(stroke) for stroke in drawing])
