"""Tasks whose classes are all of one alphabet."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.data.made_splits import made_split

from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.grouped import GroupedSplit
from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import episodes_sha256


SIZES = {"Greek": 6, "Latin": 5, "Runes": 9}
NAMES = [f"{a}/{c:02}/rot{t}" for a, n in SIZES.items() for c in range(n) for t in (0, 90)]
SPEC = EpisodeSpec(ways=5, shots=2, queries=1, steps=0)


def grouped() -> ClassSplit:
    return made_split(NAMES, kind=GroupedSplit)


def groups_of(split: ClassSplit, index: int, spec: EpisodeSpec = SPEC) -> set[str]:
    names = [split.class_names[i] for i in split.members(spec, 3, index).classes]
    return {f"{name.split('/')[0]}/{name.split('/')[-1]}" for name in names}


def test_a_task_is_of_one_alphabet_turned_one_way_and_its_classes_differ() -> None:
    split = grouped()
    for index in range(60):
        assert len(groups_of(split, index)) == 1
        classes = split.members(SPEC, 3, index).classes.tolist()
        assert len(set(classes)) == 5


def test_every_group_is_as_likely_as_any_other_whatever_its_size() -> None:
    split = grouped()
    met = Counter(next(iter(groups_of(split, index))) for index in range(1200))
    assert len(met) == 6
    expected = 1200 / 6
    chi_squared = sum((n - expected) ** 2 / expected for n in met.values())
    assert chi_squared < 20.5  # 0.999 of it, with 5 degrees of freedom


def test_a_task_is_a_function_of_seed_split_and_index() -> None:
    one, two = grouped(), grouped()
    assert one.identity(SPEC, 3, 17) == two.identity(SPEC, 3, 17)
    assert one.identity(SPEC, 3, 17) != one.identity(SPEC, 4, 17)
    assert episodes_sha256(one, SPEC, 3, 9) == episodes_sha256(two, SPEC, 3, 9)
    more = EpisodeSpec(ways=5, shots=3, queries=1, steps=0)
    assert np.array_equal(one.members(more, 3, 17).classes, one.members(SPEC, 3, 17).classes)
    assert episodes_sha256(made_split(NAMES), SPEC, 3, 9) != episodes_sha256(one, SPEC, 3, 9)


def test_a_list_of_tasks_is_held_to_none_of_what_is_drawn() -> None:
    """More ways than an alphabet has, of several alphabets: they are written down."""
    wide = EpisodeSpec(ways=8, shots=2, queries=1, steps=0)
    split, across = grouped(), made_split(NAMES)
    split.listed = [across.members(wide, 3, index) for index in range(4)]
    assert [split.members(wide, 0, i).identity for i in range(4)] == [
        members.identity for members in split.listed
    ]
    with pytest.raises(ValueError, match=r"a task is of one alphabet"):
        grouped().members(wide, 0, 0)


def test_a_split_with_other_classes_has_groups_of_its_own() -> None:
    split = grouped()
    assert len(split.groups) == 6  # pyright: ignore[reportAttributeAccessIssue]
    latin = split.having("test", [i for i, name in enumerate(NAMES) if name.startswith("Latin")])
    assert {next(iter(groups_of(latin, index))) for index in range(20)} == {
        *("Latin/rot0", "Latin/rot90")
    }


def test_an_alphabet_of_too_few_characters_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^shots\.ways=6: with dataset\.within=alphabet") as told:
        grouped().check(EpisodeSpec(ways=6, shots=1, queries=1, steps=0))
    assert str(told.value) == (
        "shots.ways=6: with dataset.within=alphabet a task is of one alphabet, and Latin/rot0 of "
        "the test split of made_up has 5 characters; use at most 5, or dataset.split=background, "
        "whose test alphabets have 20 or more"
    )
    only = [name for name in NAMES if not name.startswith("Latin")]
    for name, left, ways_out in (
        ("train", NAMES, "use at most 5"),
        ("train", [*only, "Latin/00/rot0"], "leave dataset.within out"),
        (
            "test",
            [*only, "Latin/00/rot0"],
            "dataset.split=background, whose test alphabets have 20",
        ),
    ):
        few = grouped().having(name, [NAMES.index(one) for one in left])
        with pytest.raises(ValueError, match=rf"characters; {ways_out}"):
            few.check(EpisodeSpec(ways=6, shots=1, queries=1, steps=0))
