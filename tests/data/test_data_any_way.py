"""Tasks that draw their own ways and shots."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.data.made_splits import made_split

from fewstep.core.types import EpisodeSpec
from fewstep.data.sampler import Draws


COUNTS = [8 + (7 * c) % 23 for c in range(40)]
SPEC = EpisodeSpec(ways=12, shots=6, queries=2, steps=0, varies=True)


CLASSES = [f"class{c}" for c in range(len(COUNTS))]


def split():
    return made_split(CLASSES, COUNTS)


@pytest.mark.parametrize("index", range(40))
def test_a_task_keeps_its_limits_and_no_image_is_there_twice(index: int) -> None:
    source = split()
    members = source.members(SPEC, 1, index)
    ways = len(members.classes)
    assert 5 <= ways <= SPEC.ways
    assert len(set(members.classes.tolist())) == ways == len(members.shots)
    assert all(1 <= shots <= SPEC.shots for shots in members.shots)
    assert members.queries == (SPEC.queries,) * ways
    assert sum(members.shots) == len(members.support)
    taken = [*np.repeat(members.classes, members.shots), *np.repeat(members.classes, SPEC.queries)]
    every = list(zip(taken, [*members.support, *members.query], strict=True))
    assert len(set(every)) == len(every)
    assert all(image < COUNTS[one] for one, image in every)


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        (
            {"ways": 5, "shots": 1},
            "test",
            "shots.ways=5: with shots.shots=1 nothing varies, though shots.varies asks for it: a "
            "task has from 5 ways and from 1 shot on. Raise one of them, for example shots=20w5s, "
            "or leave shots.varies out",
        ),
        (
            {"ways": 3, "shots": 1},
            "train",
            "shots.ways=3: with shots.train_shots=1 nothing varies, though shots.varies asks for "
            "it: a task has from 5 ways and from 1 shot on. Raise one of them, for example "
            "shots=20w5s, or leave shots.varies out",
        ),
        (
            {"batch_size": 6, "replacement": True},
            "train",
            "algorithm.inner.batch_size=6: with algorithm.replacement=true a minibatch has no "
            "repeats inside it, and with shots.varies a support set may have no more than 5 "
            "examples. Use algorithm.inner.batch_size=5 or less, or algorithm.replacement=false",
        ),
    ],
)
def test_what_does_not_go_with_tasks_that_vary(changes: dict, name: str, told: str) -> None:
    source = made_split(CLASSES, COUNTS).having(name, range(40))
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        source.check(replace(SPEC, **changes))
    source.check(replace(SPEC, **changes, varies=False))


@pytest.mark.parametrize("changes", [{"ways": 6, "shots": 1}, {"ways": 5, "shots": 2}])
def test_what_varies_a_little_varies(changes: dict) -> None:
    found = [split().members(replace(SPEC, **changes), 0, index).shots for index in range(40)]
    assert len(set(found)) > 1


def test_minibatches_without_repeats_are_all_of_one_size() -> None:
    spec = replace(SPEC, steps=3, batch_size=5, replacement=True)
    sizes = set()
    for index in range(40):
        episode = split().episode(spec, 0, index)
        assert episode.batches.shape == (3, 5)
        sizes.add(len(episode.support_x))
    assert min(sizes) < 10  # and yet no minibatch is short


def test_its_tensors_are_of_its_members() -> None:
    source = split()
    spec = replace(SPEC, steps=4, batch_size=7)
    for index in range(5):
        members, episode = source.members(spec, 1, index), source.episode(spec, 1, index)
        support = np.repeat(members.classes, members.shots)
        assert episode.support_x[:, 0, 0, 0].tolist() == [
            (20 * c + j) % 256 for c, j in zip(support, members.support, strict=True)
        ]
        places = np.repeat(np.arange(len(members.shots)), members.shots)
        assert episode.support_y.tolist() == places.tolist()
        assert episode.query_y.bincount().tolist() == list(members.queries)
        assert episode.batches.shape == (4, 7)
        assert int(episode.batches.max()) < len(support)


def test_a_task_is_a_function_of_seed_split_and_index() -> None:
    one, two = split(), split()
    assert all(one.identity(SPEC, 1, i) == two.identity(SPEC, 1, i) for i in (3, 0, 7))
    assert one.identity(SPEC, 1, 3) != one.identity(SPEC, 2, 3)


def test_ways_are_uniform_and_shots_uneven() -> None:
    source = split()
    tasks = [source.members(SPEC, 0, index) for index in range(800)]
    met = Counter(len(members.classes) for members in tasks)
    assert set(met) == set(range(5, 13))
    chi_squared = sum((n - 100) ** 2 / 100 for n in met.values())
    assert chi_squared < 24.3  # 0.999 of it, with 7 degrees of freedom
    assert any(len(set(members.shots)) > 2 for members in tasks)
    mean = np.mean([len(m.support) / len(m.classes) for m in tasks])
    assert 2.0 < mean < 4.5


def test_where_nothing_is_drawn_tasks_are_what_they_were() -> None:
    """The streams of classes and images are the same: a varied task has those of a fixed one."""
    source, fixed = split(), replace(SPEC, varies=False)
    for index in range(10):
        members, whole = source.members(SPEC, 0, index), source.members(fixed, 0, index)
        ways = len(members.classes)
        assert members.classes.tolist() == whole.classes[:ways].tolist()
        assert members.query.tolist() == whole.query[: 2 * ways].tolist()
    assert len(Draws(0, "test", 1).words(2, 3)) == 3
