"""Options of datasets that are of no kind that they may be: told by key, value, limit and fix."""

from __future__ import annotations

from typing import Any

import pytest

from fewstep.commands.train import check, check_keys
from fewstep.config.compose import compose_config, plain
from fewstep.core.types import EpisodeSpec
from fewstep.data.subjects import Subjects
from fewstep.messages.errors import ConfigError
from fewstep.run.construction import parts


GRID = "must be two whole numbers above 0 and at most 1048576. For example dataset.grid="
SPEEDS = "must be two numbers above 0. For example dataset.velocity=[2750,1250]"
ROWS = "must be whole numbers. For example dataset.receiver_rows=[0,19]"
KINDS = "must be three numbers of at least 1, of keys, values and fillers. For example "
KINDS += "dataset.kinds=[8,8,8]"
WIDTHS = "must be two or more numbers in (0,1]. For example dataset.widths=[1,0.5]"
OWN = (
    "must be a list of numbers for each of the 6 dataset.widths, or null. For example dataset.own="
)
FRESH = "must be shapes by name. For example dataset.fresh='{lora_A: [2,48]}'"
KNOWN = "must be two or more of bpsk, qpsk, psk8, pam4, qam16, qam64, msk. For example "
KNOWN += "dataset.modulations=[bpsk,qpsk]"
LISTS = "must be the lists of classes by split, or null. For example dataset.split_files='{train: "
LISTS += "train.txt, test: test.txt}'"
ENDINGS = "must be a list of endings. For example dataset.skip=[.txt,.json]"
MOST = "must be at most 1048576. For example "

REFUSED: dict[tuple[str, str], list[tuple[Any, str]]] = {
    ("ground", "grid"): [
        *((value, f"{GRID}[20,32]") for value in (5, "ab", 2.5, [20], [20, 1.5], [20, True])),
        (None, f"{GRID}[20,32]"),
        ([10**20, 10**20], f"{GRID}[20,32]"),
    ],
    ("ground", "velocity"): [(v, SPEEDS) for v in (3, "abc", "ab", None, [2750, 1250, 3], [1, -1])],
    ("ground", "receiver_rows"): [(value, ROWS) for value in (3, "abc", None, [1.5], [])],
    ("ground", "nt"): [(10**20, f"{MOST}dataset.nt=150")],
    ("recall", "kinds"): [(v, KINDS) for v in (8, "abc", None, [8, 8], [8, 8, -1], [8, 8, 10**20])],
    ("recall", "length"): [(10**20, f"{MOST}dataset.length=16")],
    ("recall", "far"): [
        (10**20, f"{MOST}dataset.far=64"),
        *(
            (
                value,
                "must be more than dataset.length=16, for these are the longer contexts. For "
                "example dataset.far=64",
            )
            for value in (12, 16)
        ),
    ],
    ("recall", "fresh"): [(value, FRESH) for value in (3, "abc", None, [1, 2])],
    ("clients", "widths"): [(v, WIDTHS) for v in (1, "ab", None, [1], [1, 0], [1, 2], ["a", "b"])],
    ("clients", "own"): [(value, f"{OWN}[[0,1],[1,2]]") for value in (1, "ab", [1, 2], [[1.5]])],
    ("modulation", "modulations"): [(value, KNOWN) for value in (3, "abc", None, [])],
    ("modulation", "samples"): [(10**20, f"{MOST}dataset.samples=128")],
    ("linear", "d"): [(10**20, f"{MOST}dataset.d=2")],
    ("streams", "d"): [(10**20, f"{MOST}dataset.d=16")],
    ("sine", "points"): [(10**20, f"{MOST}dataset.points=50")],
    ("subjects", "d"): [(10**20, f"{MOST}dataset.d=16")],
    ("subjects", "rank"): [(10**20, f"{MOST}dataset.rank=6")],
    ("subjects", "fewest_images"): [(10**20, f"{MOST}dataset.fewest_images=8")],
    ("glyphs", "seed"): [
        (2**64, "must be at most 18446744073709551615. For example dataset.seed=0"),
    ],
    ("glyphs", "classes"): [
        (10**20, "must be at most 4294967296. For example dataset.classes=1000")
    ],
    ("glyphs", "channels"): [
        ("abc", "must be a whole number of at least 1. For example dataset.channels=1"),
    ],
    ("omniglot", "size"): [
        (0, "must be a whole number of at least 1. For example dataset.size=28"),
    ],
    ("image_folder", "split_files"): [(value, LISTS) for value in (3, "abc", [1], ["a"])],
    ("image_folder", "skip"): [(value, ENDINGS) for value in (3, None, [1], [None])],
}
CASES = [(*key, value, told) for key, pairs in REFUSED.items() for value, told in pairs]


def node(dataset: str) -> dict[str, Any]:
    root = ["dataset.root=nowhere"] if dataset == "image_folder" else []
    return plain(compose_config("train", [f"dataset={dataset}", *root]))["dataset"]


@pytest.mark.parametrize(("dataset", "key", "value", "told"), CASES)
def test_what_an_option_cannot_be(dataset: str, key: str, value: Any, told: str) -> None:
    shown = "null" if value is None else value
    with pytest.raises(ConfigError) as refused:
        parts.build_dataset({**node(dataset), key: value})
    assert str(refused.value) == f"dataset.{key}={shown}: {told}"


def test_a_shape_of_what_a_task_brings_anew_is_told_by_its_name() -> None:
    for shape in (1, [], [2, 0], ["a"]):
        with pytest.raises(ConfigError) as refused:
            parts.build_dataset({**node("recall"), "fresh": {"lora_A": shape}})
        assert str(refused.value) == (
            f"dataset.fresh.lora_A={shape}: must be a shape of counts. For example "
            "dataset.fresh.lora_A=[2,48]"
        )


def test_the_largest_seed_makes_characters() -> None:
    made = parts.build_dataset({**node("glyphs"), "seed": 2**64 - 1, "classes": 5})
    assert made.open()["train"].episode(EpisodeSpec(2, 1, 1, 0), 0, 0).support_x.shape[0] == 2


def test_a_task_that_is_larger_than_the_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*_: Any) -> None:
        raise MemoryError("Unable to allocate 7.28 TiB")

    monkeypatch.setattr(Subjects, "drawn", too_much)
    with pytest.raises(ConfigError) as refused:
        Subjects().open()["train"].episode(EpisodeSpec(1, 10, 1, 0), 0, 0)
    assert str(refused.value) == (
        "dataset=subjects: a task with shots=10 takes more memory than there is (Unable to "
        "allocate 7.28 TiB). Lower the sizes among the keys of dataset, or the shots"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["dataset=linear", "dataset.d=2.5"],
            "dataset.d=2.5: must be a whole number. For example dataset.d=2",
        ),
        (
            ["dataset=ground", "dataset.dx=a"],
            "dataset.dx=a: must be a number. For example dataset.dx=50.0",
        ),
        (["dataset=ground", "dataset.grid=5"], f"dataset.grid=5: {GRID}[20,32]"),
        (
            ["dataset=modulation", "dataset.samples=2.5"],
            "dataset.samples=2.5: must be a whole number. For example dataset.samples=128",
        ),
        (["dataset=clients", "dataset.widths=1"], f"dataset.widths=1: {WIDTHS}"),
        (
            ["dataset=streams", "dataset.forgetting=abc"],
            "dataset.forgetting=abc: must be a number. For example dataset.forgetting=0.85",
        ),
        (
            ["dataset=linear", "model.chains=abc"],
            "model.chains=abc: must be a whole number. For example model.chains=16",
        ),
    ],
)
def test_what_the_network_and_the_pictures_have_of_a_dataset_is_told_of_that(
    words: list[str], told: str
) -> None:
    config = plain(compose_config("train", [*words, "trainer=cpu"]))
    check_keys(config)
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert str(refused.value) == told
