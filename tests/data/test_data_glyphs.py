"""Procedural characters: the same bit for bit in any batch, and about as hard as Omniglot."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
import torch

from fewstep.core.types import EpisodeSpec
from fewstep.data.glyphs import Glyphs, glyphs


def test_golden_pixels():
    images = glyphs(seed=0, first=0, last=5, drawings=4, size=28)
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == "4f1235e8c9b95c3e"


def test_a_class_does_not_depend_on_its_batch():
    whole = glyphs(0, 0, 60, 6, 28)
    assert (glyphs(0, 17, 18, 6, 28) == whole[17:18]).all()
    assert (glyphs(0, 41, 60, 3, 28) == whole[41:, :3]).all()
    assert not (glyphs(1, 17, 18, 6, 28) == whole[17:18]).all()


def test_a_class_does_not_depend_on_how_many_there_are():
    few = Glyphs(classes=70).open()["train"].pixels
    many = Glyphs(classes=300).open()["train"].pixels
    assert many[: len(few)].equal(few)
    assert (glyphs(0, 69, 70, 20, 28) == few[-20:].squeeze(1).numpy()).all()


def test_splits_share_no_class():
    splits = Glyphs(classes=100).open()
    assert {name: len(split.classes) for name, split in splits.items()} == {
        "train": 70,
        "val": 10,
        "test": 20,
    }
    ids = np.concatenate([split.classes for split in splits.values()])
    assert sorted(ids) == list(range(100))


def test_ink_is_bright_thin_and_in_every_drawing():
    images = glyphs(0, 0, 200, 20, 28)
    ink = (images > 127).mean(axis=(2, 3))
    assert images.max() == 255
    assert ink.min() > 0.005
    assert 0.05 < ink.mean() < 0.2


def test_about_as_hard_as_omniglot_for_a_nearest_neighbour():
    split = Glyphs().open()["test"]
    right = []
    for index in range(400):
        episode = split.episode(EpisodeSpec(5, 1, 1, 0), seed=0, index=index)
        distances = torch.cdist(episode.query_x.flatten(1), episode.support_x.flatten(1))
        right.append((distances.argmin(dim=1) == episode.query_y).float().mean().item())
    assert 0.35 < np.mean(right) < 0.55  # Omniglot: 0.37; chance: 0.2


def test_opening_again_is_quick():
    Glyphs(classes=300).open()
    start = time.perf_counter()
    Glyphs(classes=300).open()
    assert time.perf_counter() - start < 0.2


@pytest.mark.parametrize("size", [8, 29, 64])
def test_any_size(size):
    assert glyphs(0, 0, 3, 2, size).shape == (3, 2, size, size)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": 2}, "dataset.classes=2: must be at least 3"),
        ({"drawings": 0}, "dataset.drawings=0: must be at least 1"),
        ({"seed": -1}, "dataset.seed=-1: must be at least 0"),
        ({"val": 1.5}, "dataset.val=1.5: must be a fraction"),
        ({"val": 0.5, "test": 0.5}, "leave no class to train on"),
    ],
)
def test_senseless_settings(fields, message):
    with pytest.raises(ValueError, match=message):
        Glyphs(**fields)


def test_a_split_is_never_what_another_one_has() -> None:
    """Every part is one class at least, and what they leave must be one as well."""
    told = "dataset.val=0.01 and dataset.test=0.98 leave none of dataset.classes=9 to train on"
    with pytest.raises(ValueError, match=told):
        Glyphs(classes=9, val=0.01, test=0.98)
    assert Glyphs(classes=9, val=0.01, test=0.98, split="all")
    held = [split.classes for split in Glyphs(classes=3, val=0.01, test=0.01).open().values()]
    assert sorted(int(one) for classes in held for one in classes) == [0, 1, 2]
