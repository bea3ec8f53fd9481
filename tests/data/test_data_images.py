"""Episodes of image splits: layout, nesting, identity, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import episodes_sha256


CLASSES, IMAGES = 30, 12


def split(name: str = "test", channels: int = 1, classes=None, counts=None) -> ClassSplit:
    """Image j of class c has the value 20 * (c % 10) + j, its channels 0, 1 and 2 more."""
    counts = np.full(CLASSES, IMAGES) if counts is None else np.array(counts)
    values = np.concatenate([20 * (c % 10) + np.arange(n) for c, n in enumerate(counts)])
    pixels = torch.tensor(values)[:, None, None, None] + torch.arange(channels)[:, None, None]
    return ClassSplit(
        "made_up",
        name,
        pixels.expand(-1, -1, 4, 4).to(torch.uint8).contiguous(),
        starts=np.cumsum(counts) - counts,
        counts=counts,
        class_names=[f"class{c}" for c in range(len(counts))],
        classes=np.arange(len(counts)) if classes is None else np.array(classes),
        scale=1.0,
    )


def spec(**changes) -> EpisodeSpec:
    fields = {"ways": 5, "shots": 3, "queries": 2, "steps": 4, "batch_size": 3} | changes
    return EpisodeSpec(**fields)


def test_shapes_labels_and_class_major_layout():
    episode = split().episode(spec(), seed=0, index=0)
    assert episode.support_x.shape == (15, 1, 4, 4)
    assert episode.query_x.shape == (10, 1, 4, 4)
    assert episode.support_x.dtype == torch.float32
    assert episode.support_y.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert episode.query_y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert episode.batches.shape == (4, 3)
    classes = (episode.support_x[:, 0, 0, 0] // 20).reshape(5, 3)
    assert (classes == classes[:, :1]).all()
    assert (classes[:, :1] == (episode.query_x[:, 0, 0, 0] // 20).reshape(5, 2)).all()


def test_support_and_query_share_no_image():
    source = split()
    for index in range(50):
        raw = np.frombuffer(source.identity(spec(), 0, index), "<i8")
        support, query = raw[5:20].reshape(5, 3), raw[20:].reshape(5, 2)
        for position in range(5):
            assert len({*support[position], *query[position]}) == 5


@pytest.mark.parametrize(("shots", "queries"), [(1, 1), (3, 2), (11, 1), (1, 11)])
def test_no_image_of_an_episode_is_there_twice(shots, queries):
    """In the pixels that are learned from, not only in the ids of the fingerprint."""
    source = split(classes=range(10))  # whose images all differ
    for index in range(20):
        episode = source.episode(spec(shots=shots, queries=queries), 0, index)
        shades = torch.cat([episode.support_x, episode.query_x])[:, 0, 0, 0].tolist()
        assert len(set(shades)) == len(shades) == 5 * (shots + queries)
        raw = np.frombuffer(source.identity(spec(shots=shots, queries=queries), 0, index), "<i8")
        chosen, images = raw[:5], np.split(raw[5:], [5 * shots])
        expected = [
            20 * c + j
            for part in images
            for c, js in zip(chosen, part.reshape(5, -1), strict=True)
            for j in js
        ]
        assert shades == expected  # what the fingerprint says is what is there


def test_settings_share_queries_and_supports_nest():
    one = split().episode(spec(shots=1, steps=0), 0, 9)
    five = split().episode(spec(shots=5), 0, 9)
    assert one.query_x.equal(five.query_x)
    assert one.support_x.equal(five.support_x.reshape(5, 5, 1, 4, 4)[:, 0])
    twenty = split().episode(spec(ways=20, shots=5), 0, 9)
    assert twenty.support_x[:25].equal(five.support_x)
    assert twenty.query_x[:10].equal(five.query_x)


def test_an_episode_depends_on_nothing_before_it():
    source = split()
    late = source.episode(spec(), 1, 40)
    for index in range(30):
        source.episode(spec(ways=2), 1, index)
    again = source.episode(spec(), 1, 40)
    assert all(
        torch.equal(a, b)
        for a, b in zip(pytree.tree_leaves(late), pytree.tree_leaves(again), strict=True)
    )


def test_no_queries():
    episode = split().episode(spec(queries=0), 0, 0)
    assert episode.query_x.shape == (0, 1, 4, 4)
    assert episode.query_y.shape == (0,)


@pytest.mark.parametrize("strides", [torch.contiguous_format, torch.channels_last])
def test_colour_comes_channels_last_whatever_the_store(strides):
    source = split(channels=3)
    source.pixels = source.pixels.contiguous(memory_format=strides)
    x = source.episode(spec(), 0, 0).support_x
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert (x[:, 2] - x[:, 0] == 2).all()


def test_scale_and_dtype():
    source = split().to("cpu", torch.float64)
    plain = source.episode(spec(), 0, 0)
    source.scale = 1 / 255
    scaled = source.episode(spec(), 0, 0)
    assert scaled.support_x.dtype == torch.float64
    assert scaled.support_x.equal(plain.support_x * (1 / 255))


def test_moving_keeps_only_this_split_and_changes_no_task():
    source = split(classes=[3, 17, 4, 25, 9, 11])
    moved = source.to("meta")
    assert moved.pixels.shape[0] == 6 * IMAGES
    assert source.to("cpu").pixels is source.pixels
    assert moved.identity(spec(), 0, 5) == source.identity(spec(), 0, 5)


def test_identity_leaves_out_the_inner_loop():
    source = split()
    assert source.identity(spec(steps=50), 0, 1) == source.identity(spec(), 0, 1)
    assert len(source.identity(spec(), 0, 1)) == 8 * (5 + 15 + 10)


def test_fingerprint_of_episodes():
    prints = {
        episodes_sha256(split(name), spec(shots=shots), seed, 4)
        for name in ("val", "test")
        for shots in (1, 5)
        for seed in (0, 1)
    }
    assert len(prints) == 8
    assert episodes_sha256(split(), spec(), 0, 4) == episodes_sha256(split(), spec(), 0, 4)
    assert episodes_sha256(split(), spec(), 0, 3).startswith("d815dd6d4aece041")


def test_as_many_as_there_are_is_not_too_many():
    split().check(spec(ways=CLASSES))
    split().check(spec(shots=IMAGES - 2, queries=2))
    assert len(split().episode(spec(ways=CLASSES), 0, 0).support_x) == 3 * CLASSES


def test_a_split_says_what_it_is():
    assert repr(split(channels=3)) == "<test split of made_up: 30 classes, 3x4x4>"


def test_too_many_ways():
    with pytest.raises(ValueError, match="ways=31: the test split of made_up has 30 classes; use"):
        split().check(spec(ways=31))
    with pytest.raises(ValueError, match="use at most 30"):
        split().episode(spec(ways=31), 0, 0)


def test_too_few_images():
    source = split(counts=[12, 4, 12])
    message = (
        r"class 'class1' of the test split has 4 images, but shots \+ queries = 5 \+ 1 = 6 are"
    )
    with pytest.raises(ValueError, match=message):
        source.check(spec(ways=2, shots=5, queries=1))
    source.check(spec(ways=3, shots=3, queries=1))
    # Only this split's classes count.
    split(counts=[12, 4, 12], classes=[0, 2]).check(spec(ways=2, shots=5, queries=1))
