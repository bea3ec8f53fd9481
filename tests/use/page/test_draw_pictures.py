"""Strokes become pictures like the training set's."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

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
                ours = inked([np.array(stroke) for stroke in drawing]) == INK
                overlaps.append((theirs & ours).sum() / (theirs | ours).sum())
                shares.append(ours.sum() / theirs.sum())
    assert min(overlaps) > 0.85
    assert np.mean(overlaps) > 0.92
    assert np.mean(shares) == pytest.approx(1, abs=0.05)
