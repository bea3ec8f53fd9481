"""Task draws: who is in a task depends on (seed, split, index) and on nothing else."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewstep.core.types import EpisodeSpec
from fewstep.data.sampler import Draws, check_counts, permutation_prefix


words = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12)


def spec(**changes) -> EpisodeSpec:
    fields = {"ways": 5, "shots": 2, "queries": 1, "steps": 4, "batch_size": 3} | changes
    return EpisodeSpec(**fields)


def paper_stream(samples: int, size: int, steps: int, shuffles) -> list[list[int]]:
    """What paper section 2.5 says, word for word; `shuffles` yields the reshuffled samples."""
    batches: list[list[int]] = []
    batch: list[int] = []
    while len(batches) < steps:
        for sample in next(shuffles):
            batch.append(sample)
            if len(batch) == size:
                batches.append(batch)
                batch = []
    return batches[:steps]


def test_golden_draws():
    # These may never change: a result is compared with others by its tasks.
    draws = Draws(0, "train", 0)
    assert draws.classes(5, 1000) == [202, 806, 454, 302, 181]
    assert draws.images(0, 5, 20) == [5, 7, 0, 6, 9]
    assert Draws(2**40 + 1, "test", 10**12).classes(5, 423) == [214, 1, 206, 207, 135]
    assert Draws(0, "train", 0).batches(spec()).tolist() == [
        [6, 5, 9],
        [3, 8, 4],
        [1, 2, 7],
        [0, 0, 4],
    ]


@given(words, st.integers(12, 10**6))
def test_a_prefix_is_distinct_in_range_and_nests(drawn, n):
    prefix = permutation_prefix(drawn, n)
    assert len(set(prefix)) == len(prefix)
    assert all(0 <= entry < n for entry in prefix)
    assert permutation_prefix(drawn[:-1], n) == prefix[:-1]


def test_permutations_are_uniform():
    counts = Counter(tuple(Draws(0, "train", index).images(0, 3, 3)) for index in range(6000))
    assert set(counts) == set(itertools.permutations(range(3)))
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi_squared < 20.5  # 5 degrees of freedom: exceeded once in a thousand times


def test_task_needs_no_other_task():
    alone = Draws(3, "test", 1000).classes(5, 423)
    for index in range(20):
        Draws(3, "test", index).classes(20, 423)
    used = Draws(3, "test", 1000)
    used.images(4, 11, 20)
    used.batches(spec())
    assert used.classes(5, 423) == alone


def test_seed_split_and_index_all_matter():
    keys = [(0, "train", 0), (1, "train", 0), (0, "val", 0), (0, "train", 1), (2**64 - 1, "val", 0)]
    assert len({tuple(Draws(*key).classes(5, 10**6)) for key in keys}) == len(keys)


def test_a_five_way_task_begins_a_twenty_way_task():
    draws = Draws(0, "test", 7)
    assert draws.classes(20, 423)[:5] == draws.classes(5, 423)


@settings(max_examples=60)
@given(
    ways=st.integers(1, 6),
    shots=st.integers(1, 5),
    size=st.integers(1, 40),
    steps=st.integers(0, 9),
    seed=st.integers(0, 2**32),
)
def test_minibatches_stream_over_reshuffles(ways, shots, size, steps, seed):
    wanted = spec(ways=ways, shots=shots, batch_size=size, steps=steps)
    batches = Draws(seed, "train", 0).batches(wanted)
    assert batches.shape == (steps, size)
    assert batches.dtype == np.int64
    support = ways * shots
    flat = batches.reshape(-1).tolist()
    whole = len(flat) // support * support
    for start in range(0, whole, support):  # between two reshuffles every sample comes once
        assert sorted(flat[start : start + support]) == list(range(support))
    assert len(set(flat[whole:])) == len(flat[whole:])

    # The same shuffles through the authors' semantics give the same batches.
    shuffles = iter(
        Draws(seed, "train", 0)._shuffles(-(-steps * size // support), support).tolist()
    )
    assert batches.tolist() == paper_stream(support, size, steps, shuffles)


def test_the_partial_batch_is_carried_over():
    # Trap 12: 25 samples in batches of 15. A batch may repeat a sample across the reshuffle.
    wanted = spec(shots=5, batch_size=15, steps=10)
    batches = [Draws(0, "test", i).batches(wanted).tolist() for i in range(100)]
    second = [len(set(task[1])) < 15 for task in batches]
    # Of 15 drawn as 10 left over and 5 new, none of the 5 is among the 10 with this chance.
    assert np.mean(second) == pytest.approx(1 - math.comb(15, 5) / math.comb(25, 5), abs=0.06)
    assert not any(len(set(task[0])) < 15 for task in batches)


def test_more_steps_only_go_on():
    short, long = (Draws(0, "train", 0).batches(spec(steps=steps)) for steps in (3, 30))
    assert (long[:3] == short).all()


def test_replacement_repeats_nothing_inside_a_batch():
    batches = Draws(0, "train", 0).batches(spec(batch_size=7, steps=40, replacement=True))
    assert batches.shape == (40, 7)
    assert all(len(set(batch)) == 7 for batch in batches.tolist())
    assert len(set(batches[:2].reshape(-1).tolist())) < 14  # batches share samples
    stream = Draws(0, "train", 0).batches(spec(batch_size=20, steps=2))  # larger than the task
    assert stream.shape == (2, 20)


def test_no_batch_size_is_the_whole_support_in_order():
    batches = Draws(0, "train", 0).batches(spec(batch_size=None))
    assert batches.tolist() == [list(range(10))] * 4


@pytest.mark.parametrize("size", [None, 3])
def test_no_steps_are_no_batches(size):
    # Trap 14: the authors' loop never ends here.
    width = size or 10
    assert Draws(0, "train", 0).batches(spec(steps=0, batch_size=size)).shape == (0, width)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ways": 0}, "ways=0: must be at least 1"),
        ({"shots": 0}, "shots=0: must be at least 1"),
        ({"queries": -1}, "queries=-1: must be at least 0"),
        ({"steps": -1}, "steps=-1: must be at least 0"),
        ({"batch_size": 0}, "batch_size=0: must be at least 1"),
        ({"varies": "no"}, "varies='no': must be true or false"),
        ({"replacement": 1}, "replacement=1: must be true or false"),
        ({"batch_size": 11, "replacement": True}, "has 10 examples; use at most 10"),
    ],
)
def test_senseless_counts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check_counts(spec(**changes))


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint64, np.array])
def test_numbers_of_numpy_draw_what_pythons_draw(kind) -> None:
    assert (Draws(kind(3), "train", kind(4)).words(0, 3) == Draws(3, "train", 4).words(0, 3)).all()


@pytest.mark.parametrize("value", [1.0, "1", None, True, float("nan")])
def test_what_is_no_whole_number_is_told(value) -> None:
    for name, seed, index in (("seed", value, 0), ("index", 0, value)):
        with pytest.raises(ValueError, match=f"^{name}={value!r}: must be a whole number$"):
            Draws(seed, "train", index)
    for name in ("ways", "shots", "queries", "steps"):
        with pytest.raises(ValueError, match=f"^{name}={value!r}: must be a whole number$"):
            check_counts(spec(**{name: value}))
