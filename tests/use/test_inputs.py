"""Pictures in any form are the same picture; what is none is refused by its place."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.use.inputs import pixels_of
from fewstep.use.labels import as_array, classes_of
from fewstep.use.rows import vectors_of


PLAIN = Preparation(6, 1, "nearest")
GREY = np.arange(36, dtype=np.uint8).reshape(6, 6) * 7
MASKS = np.array([[[0]], [[1]]], np.uint8)
"""One that is all black, as where nothing was found, and one that is not."""


def forms(tmp_path: Any) -> dict[str, Any]:
    file = tmp_path / "grey.png"
    Image.fromarray(GREY).save(file)
    return {
        "uint8": GREY[None],
        "with a channel": GREY[None, :, :, None],
        "colour": np.repeat(GREY[None, :, :, None], 3, axis=3),
        "int64": GREY[None].astype(np.int64),
        "from 0 to 1": GREY[None] / 255,
        "float32 tensor": torch.from_numpy(GREY[None] / 255).float(),
        "a list": [GREY.tolist()],
        "PIL": [Image.fromarray(GREY)],
        "a path": [file],
        "a path as text": [str(file)],
        "a generator": (one for one in [GREY]),
        "a tensor of 16 bits": torch.from_numpy(GREY[None] / 256).bfloat16() * 256 / 255,
        "an array of paths": np.array([str(file)]),
        "premultiplied": [Image.fromarray(GREY).convert("LA").convert("La")],
    }


def test_every_form_is_the_same_picture(tmp_path) -> None:
    for name, given in forms(tmp_path).items():
        found = pixels_of(given, PLAIN)
        assert found.dtype == torch.uint8, name
        assert np.array_equal(found[0, :, :, 0], GREY), name


def test_what_the_eye_sees_is_what_is_read() -> None:
    """Transparent is white, and a picture lies as its tag says."""
    clear = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
    assert (pixels_of([clear], PLAIN) == 255).all()
    turned = Image.fromarray(GREY)
    turned.getexif()[0x0112] = 3  # upside down
    assert np.array_equal(pixels_of([turned], PLAIN)[0, :, :, 0], GREY[::-1, ::-1])
    assert turned.getexif()[0x0112] == 3  # the user's own is left alone


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ([], "there are none"),
        (np.zeros((6, 6)), r"an array of shape (6, 6), where [n, H, W]"),
        (np.zeros((6, 6, 3)), "shape (6, 6, 3), a single picture [H, W, C]. Give images"),
        (np.eye(6, dtype=np.uint8)[None], "images: all hold 0 and 1 alone as uint8"),
        (np.eye(6, dtype=np.uint8) * MASKS, "images: all hold 0 and 1 alone"),
        ("photo.png", "one str, where a list of pictures is needed"),
        (3, "images: a int. Give arrays"),
        ({"a.png"}, "images: a set, in which nothing has a place. Give a list or an array"),
        ({"a.png": "a"}, "images: a dict, in which nothing has a place. Give a list or an array"),
        ([GREY, np.full((6, 6), np.nan)], "images[1]: has pixels that are not finite"),
        ([GREY, GREY * 2.0], "images[1]: has numbers from 0 to 490, where pixels that are not"),
        ([np.full((6, 6), -1)], "images[0]: has values from -1 to -1. Give uint8"),
        ([np.eye(6, dtype=int)], "images[0]: has whole numbers 0 and 1 alone"),
        ([np.zeros((3, 6, 6))], "images[0]: shape (3, 6, 6) has its channels first"),
        ([np.zeros((6, 6, 2))], "images[0]: shape (6, 6, 2) is no picture"),
        ([np.zeros((0, 6))], "images[0]: shape (0, 6) has no pixels"),
        ([{}], "images[0]: a dict is no picture"),
        (["/nowhere/photo.png"], "/nowhere/photo.png: cannot be read (No such file"),
        ([np.array([["a"]])], "is no kind of pixel"),
        ([[[1, 2], [3]]], "images[0]: has rows of unequal lengths"),
        (np.ma.array(np.zeros((1, 2, 2)), mask=True), "images[0]: 4 of its values are masked."),
        ([b"photo"], "images[0]: a bytes is no picture"),
        ([Image.new("L", (0, 6))], "images[0]: size (0, 6) has no pixels"),
        (
            [Image.new("I", (6, 6), 9)],
            "images[0]: holds 32-bit values from 9 to 9 and does not say",
        ),
    ],
)
def test_what_is_no_picture_is_refused(images: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        pixels_of(images, PLAIN)


def test_drawings_on_the_other_paper_are_turned_over() -> None:
    dark = torch.zeros(1, 6, 6, 1, dtype=torch.uint8)
    dark[0, 2:4, 2:4] = 250
    light = 255 - dark
    for paper, wanted in (("light", light), ("dark", dark)):
        known = Preparation(6, 1, paper=paper)
        for given in (dark, light):
            assert torch.equal(known.seen(given), wanted)
    assert torch.equal(Preparation(6, 1).seen(dark), dark)


def test_scaled_as_the_dataset_scales() -> None:
    pixels = torch.from_numpy(GREY)[None, :, :, None]
    assert torch.equal(
        Preparation(6, 1).scaled(pixels)[0, 0], pixels[0, :, :, 0].float() * (1 / 255)
    )
    cut = Preparation(6, 1, cut=True).scaled(pixels)
    assert torch.equal(cut[0, 0], (pixels[0, :, :, 0] >= 128).float())
    colour = Preparation(6, 3, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    found = colour.scaled(pixels.expand(1, 6, 6, 3))[0, 2, 0, 1]
    assert found == pytest.approx((7 / 255 - 0.3) / 0.7)


def test_a_preparation_is_what_was_written_down() -> None:
    made = Preparation(28, 3, "nearest", True, 105, "light", (0.1, 0.2, 0.3), (1, 1, 1))
    assert Preparation.of(made.as_dict()) == made
    for name, value in {"size": 0, "channels": 2, "resample": "x", "paper": "wet"}.items():
        with pytest.raises(ValueError, match=name):
            Preparation.of({**made.as_dict(), name: value})
    for name, value in {"mean": [1.0], "std": [0.0, 1, 1], "native": -1}.items():
        with pytest.raises(ValueError, match="must"):
            Preparation.of({**made.as_dict(), name: value})


def test_labels_of_any_kind() -> None:
    assert classes_of(np.array([3, 1, 3]), 3)[0] == [1, 3]
    assert classes_of(["b", "a", "b"], 3)[1].tolist() == [1, 0, 1]
    mixed, places = classes_of([("x", 1), "a", 2], 3)
    assert (mixed, places.tolist()) == ([("x", 1), "a", 2], [0, 1, 2])
    assert as_array(mixed).tolist() == mixed
    assert as_array([True, False]).dtype == bool


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["a"], "labels: there are 1, and 2 pictures"),
        (["a", "a"], "only one class is present ('a')"),
        (["a", None], "labels[1]=None"),
        ([1.0, float("nan")], "labels[1]=nan"),
        ([[], "a"], "labels[0]: a list cannot be a class"),
        ("ab", "labels: a str. Give a list"),
        (b"ab", "labels: a bytes. Give a list"),
        ({"a", "b"}, "labels: a set, in which nothing has a place. Give a list or an array"),
        ({0: "a", 1: "b"}, "labels: a dict, in which nothing has a place. Give a list or an array"),
        (np.zeros((2, 2)), "labels: an array of shape (2, 2)"),
        ([(1, [2]), "a"], "labels[0]: a tuple cannot be a class"),
        (["a", float("inf")], "labels[1]=inf"),
    ],
)
def test_what_are_no_labels_is_refused(labels: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        classes_of(labels, 2)


def test_labels_and_pictures_in_tensors_of_any_kind() -> None:
    assert classes_of(torch.tensor([1, 0, 1]).bfloat16(), 3)[0] == [0, 1]
    sparse = torch.from_numpy(GREY[None] / 255).to_sparse()
    assert np.array_equal(pixels_of(sparse, PLAIN)[0, :, :, 0], GREY)


def test_rows_are_finite_numbers() -> None:
    assert vectors_of([[1, 2], [3, 4]]).dtype == torch.float32
    bad = {"2D array": [1, 2], "NaN or infinity": [[1, np.inf]], "Complex data": [[1j]]}
    bad |= {"0 sample": np.zeros((0, 3)), "0 feature": np.zeros((3, 0))}
    for text, given in bad.items():
        with pytest.raises(ValueError, match=text):
            vectors_of(given)
    with pytest.raises(ValueError, match="X has 2 features, but Classifier is expecting 3"):
        vectors_of([[1, 2]], RowPreparation((3,)))


def test_tables_of_pandas(tmp_path) -> None:
    pandas = pytest.importorskip("pandas")
    file = tmp_path / "grey.png"
    Image.fromarray(GREY).save(file)
    table = pandas.DataFrame({"file": [file, file], "kind": ["b", "a"]})
    for given in (table["file"], table[["file"]], table[["file"]].to_numpy()):
        assert np.array_equal(pixels_of(given, PLAIN)[1, :, :, 0], GREY)
    for given in (table["kind"], table[["kind"]], table["kind"].astype("category")):
        assert classes_of(given, 2)[0] == ["a", "b"]
    with pytest.raises(ValueError, match=r"an array of shape \(6, 6\), where \[n, H, W\]"):
        pixels_of(pandas.DataFrame(GREY), PLAIN)
    with pytest.raises(ValueError, match=r"labels\[1\]=<NA>: contains NaN or nothing"):
        classes_of(["a", pandas.NA], 2)
