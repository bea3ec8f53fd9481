"""Examples in memory as a dataset: any shape and kind of number, and what cannot be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fewstep.data
from fewstep.core.objectives import Classification, Regression
from fewstep.core.types import EpisodeSpec
from fewstep.data import TensorClasses
from fewstep.data.images.preparation import Preparation
from fewstep.run.stored.origin import digests


SPEC = EpisodeSpec(ways=2, shots=2, queries=1, steps=3, batch_size=3)
N, CLASSES = 40, 8
LABELS = np.arange(N) % CLASSES
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3, 2)) + LABELS[:, None, None]


MASKED = np.ma.array(X, mask=np.isin(np.arange(X.size), (7, 70)).reshape(X.shape))


def test_no_objective_is_that_of_classes() -> None:
    assert isinstance(TensorClasses(X, LABELS, objective=None).objective, Classification)


def _episode(made: TensorClasses, dtype: torch.dtype = torch.float32, index: int = 0):
    return made.open()["train"].to("cpu", dtype).episode(SPEC, 0, index)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 2), (2, 3, 4), (1, 2, 3, 4)])
def test_inputs_of_any_shape(shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=(N, *shape))
    episode = _episode(TensorClasses(x, LABELS))
    assert episode.support_x.shape == (4, *shape)
    assert episode.query_x.shape == (2, *shape)
    assert episode.support_y.tolist() == [0, 0, 1, 1]
    assert episode.batches.shape == (3, 3)
    rows = {tuple(row.flatten().tolist()) for row in torch.from_numpy(x).float()}
    assert {tuple(row.flatten().tolist()) for row in episode.support_x} <= rows


KINDS = {
    "float16": (np.float16, torch.float32, 1),
    "float32": (np.float32, torch.float32, 1),
    "float64": (np.float64, torch.float32, 1),
    "long double": (np.longdouble, torch.float32, 1),
    "the other byte order": (">f8", torch.float32, 1),
    "bool": (bool, torch.float32, 1),
    "uint8": (np.uint8, torch.float32, 1 / 255),
    "int8": (np.int8, torch.int64, 1),
    "uint16": (np.uint16, torch.int64, 1),
    "int32": (np.int32, torch.int64, 1),
    "int64": (np.int64, torch.int64, 1),
}


WITHOUT_TENSORS = {"long double", "the other byte order", "uint16"}
FORMS = [(kind, form) for kind in KINDS for form in (False, kind not in WITHOUT_TENSORS)]


@pytest.mark.parametrize(("kind", "as_tensor"), [*dict.fromkeys(FORMS)])
def test_inputs_of_any_kind_of_number(kind: str, as_tensor: bool) -> None:
    dtype, out, scale = KINDS[kind]
    x = (np.abs(X) * 10).astype(dtype)
    episode = _episode(TensorClasses(torch.from_numpy(x) if as_tensor else x, LABELS))
    assert episode.support_x.dtype == out
    there = torch.from_numpy(x.astype(np.float64)) * scale
    near = (there[:, None] - episode.support_x.double()).abs().flatten(2).amax(2).amin(0)
    assert near.max() < 1e-2


def test_precision_scale_and_tensors_of_bfloat16() -> None:
    assert _episode(TensorClasses(X, LABELS), torch.float64).support_x.dtype == torch.float64
    ids = TensorClasses(np.arange(N)[:, None], LABELS, scale=0.5)
    assert _episode(ids).support_x.dtype == torch.float32
    assert (_episode(ids).support_x * 2 % 1 == 0).all()
    bytes_as_they_are = TensorClasses(np.full((N, 2), 255, np.uint8), LABELS, scale=1)
    assert _episode(bytes_as_they_are).support_x.max() == 255
    half = torch.from_numpy(X).bfloat16().requires_grad_()
    episode = _episode(TensorClasses(half, torch.from_numpy(LABELS)))
    assert (episode.support_x.dtype, episode.support_x.requires_grad) == (torch.float32, False)


LABELLED: dict[str, Any] = {
    "numbers": LABELS,
    "negative numbers": LABELS - 4,
    "whole fractions": LABELS.astype(float),
    "a tensor": torch.from_numpy(LABELS),
    "texts": [f"class {label}" for label in LABELS],
    "bytes": np.array([f"{label}" for label in LABELS], dtype="S"),
    "objects": np.array([f"{label}" for label in LABELS], dtype=object),
}


@pytest.mark.parametrize("kind", LABELLED)
def test_labels_of_any_kind(kind: str) -> None:
    made = TensorClasses(X, LABELLED[kind], val=0.25, test=0.25)
    splits = made.open()
    assert {name: len(split.classes) for name, split in splits.items()} == {
        "train": 4,
        "val": 2,
        "test": 2,
    }
    assert len(made.class_names) == CLASSES
    mean = made.open()["train"].pixels.mean((1, 2))  # each class's examples lie together
    assert (mean.reshape(CLASSES, -1).std(1) < 1.5).all()


def test_classes_are_sorted_together_and_copied_only_where_they_are_not() -> None:
    x = torch.arange(N * 2, dtype=torch.float32).reshape(N, 2)
    together = TensorClasses(x, np.sort(LABELS))
    assert together.open()["train"].pixels.data_ptr() == x.data_ptr()
    apart = TensorClasses(x, LABELS).open()["train"]
    assert apart.pixels[:5, 0].tolist() == [0, 16, 32, 48, 64]


def test_numbers_of_numpy_are_labels_in_any_array() -> None:
    plain = TensorClasses(X, LABELS).class_names
    assert TensorClasses(X, np.array([*LABELS], dtype=object)).class_names == plain
    assert TensorClasses(X, [f"{n}" for n in LABELS]).class_names == plain


def test_splits_as_they_are_listed() -> None:
    listed = {"train": [0, 1, 2], "test": [7, 6]}
    splits = TensorClasses(X, LABELS, splits=listed).open()
    assert {n: [s.class_names[c] for c in s.classes] for n, s in splits.items()} == {
        "train": ["0", "1", "2"],
        "test": ["7", "6"],
    }


def test_the_same_tasks_and_digest_whatever_the_order_of_the_examples() -> None:
    order = np.argsort(LABELS, kind="stable")
    one, two = (TensorClasses(X[o], LABELS[o]).open() for o in (slice(None), order))
    assert digests(one) == digests(two)
    assert digests(one)["classes_sha256"]
    assert one["test"].data_sha256 != TensorClasses(X + 1, LABELS).open()["test"].data_sha256
    spec = EpisodeSpec(1, 2, 1, 0)
    for index in range(3):
        assert one["test"].identity(spec, 0, index) == two["test"].identity(spec, 0, index)
    first, second = (s["train"].episode(SPEC, 0, 5).support_x for s in (one, two))
    assert torch.equal(first, second)


def test_what_the_objective_and_the_name_are() -> None:
    made = TensorClasses(X, LABELS)
    assert (made.name, made.objective, made.preparation) == ("tensors", Classification(), None)
    pictures = np.zeros((N, 3, 6, 6), np.uint8)
    assert TensorClasses(pictures, LABELS).preparation == Preparation(6, 3)
    for other in (pictures[:, :2], pictures[..., :5], pictures.astype(float)):
        assert TensorClasses(other, LABELS).preparation is None
    objective = Regression()
    assert TensorClasses(X, LABELS, name="mine", objective=objective).objective is objective


NAN = X.copy()
NAN[[3, 5, 9, 11], 0, 0] = [np.nan, np.inf, -np.inf, np.nan]
REFUSED: dict[str, tuple[Any, Any, dict, str]] = {
    "unequal": (X[:30], LABELS, {}, "x has 30 examples and y 40 labels. Give a label for each"),
    "nothing": (X[:0], LABELS[:0], {}, "x: has no example. Give some of each class"),
    "no shape": (
        X[:, 0, 0],
        LABELS,
        {},
        "x: has the shape [40], and must be [examples, ...]. For one number an example give "
        "x[:, None]",
    ),
    "not finite": (
        NAN,
        LABELS,
        {},
        "x: 4 of 40 examples hold values that are not finite (number 3, 5, 9, ...). Correct them "
        "or leave them out",
    ),
    "texts": (np.full((N, 2), "a"), LABELS, {}, "x: holds <U1, and must hold numbers"),
    "objects": (np.full((N, 2), None), LABELS, {}, "x: holds object, and must hold numbers"),
    "complex": (
        torch.full((N, 2), 1j),
        LABELS,
        {},
        "x: is complex. Give plain numbers, as x.abs()",
    ),
    "sparse": (
        torch.eye(N).to_sparse(),
        LABELS,
        {},
        "x: is sparse. Give plain numbers, as x.to_dense()",
    ),
    "masked": (
        MASKED,
        LABELS,
        {},
        "x: 2 of its values are masked. Fill them, as x.filled(0), or leave these examples out",
    ),
    "masked in a list": ([*MASKED], LABELS, {}, "x: 2 of its values are masked."),
    "masked labels": (X, np.ma.array(LABELS, mask=LABELS == 3), {}, "y: 5 of its values are"),
    "no values": (torch.zeros(N, 2, device="meta"), LABELS, {}, "x: is a meta tensor. Give plain"),
    "another split in every process": (X, LABELS, {"split_seed": None}, "split_seed=None: must be"),
    "a seed that is no number": (X, LABELS, {"split_seed": float("nan")}, "split_seed=nan: must"),
    "a seed of truth": (X, LABELS, {"split_seed": True}, "split_seed=True: must be a whole number"),
    "a seed of text": (X, LABELS, {"split_seed": "1"}, "split_seed='1': must be a whole number"),
    "ragged": ([[1, 2], [3]], [0, 1], {}, "x: cannot be made one array ("),
    "one-hot": (
        X,
        np.eye(CLASSES)[LABELS],
        {},
        "y: has the shape [40, 8], and must be one label an example, [n]. For rows with a one in "
        "them give y.argmax(1)",
    ),
    "fractions": (
        X,
        LABELS + 0.5,
        {},
        "y: holds fractions, and must hold whole numbers or texts. For targets that are numbers "
        "use FunctionTasks",
    ),
    "a label that is none": (
        X,
        [*LABELS[:-1], np.nan],
        {},
        "y: holds fractions, and must hold whole numbers or texts.",
    ),
    "a text that is missing": (
        X,
        [*map(str, LABELS[:-1]), float("nan")],
        {},
        "y: holds no label (nan), and must hold whole numbers or texts",
    ),
    "strange labels": (
        X,
        np.array([None] * N),
        {},
        "y: holds no label (None), and must hold whole numbers or texts",
    ),
    "one class": (
        X,
        np.zeros(N, int),
        {},
        "y: has 1 class, and each of 3 splits needs one at least. Give more classes",
    ),
    "two classes": (
        X,
        LABELS % 2,
        {},
        "y: has 2 classes, and each of 3 splits needs one at least, or give val=0. Give more "
        "classes",
    ),
    "fraction": (X, LABELS, {"test": 0}, "test=0: must be a fraction of the classes above 0 and"),
    "too much": (X, LABELS, {"val": 1.0}, "val=1.0: must be a fraction of the classes of at least"),
    "no test": (
        X,
        LABELS,
        {"splits": {"train": [0]}},
        "splits has train: its keys are train, test and, where it is wanted, val",
    ),
    "empty part": (
        X,
        LABELS,
        {"splits": {"train": [], "test": [1]}},
        "splits.train: names no class. List one at least",
    ),
    "no such class": (
        X,
        LABELS,
        {"splits": {"train": [0], "test": [8]}},
        "splits.test: y has no example of class '8'. Its 8 classes are 0, 1, 2, ...",
    ),
    "in both": (
        X,
        LABELS,
        {"splits": {"train": [0, 1], "test": [1]}},
        "splits.test: has class '1', which is in train already. Keep it in one, or test tasks "
        "would not be new",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_told(what: str) -> None:
    x, y, more, message = REFUSED[what]
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        TensorClasses(x, y, **more)
    assert str(refusal.value).startswith(message)


def test_a_number_and_a_truth_value_are_two_classes() -> None:
    labels = np.array([1, True, "b", 2] * 10, dtype=object)
    assert TensorClasses(X, labels).class_names == ["True", "1", "2", "b"]
    whole = np.ma.array(X)  # of which nothing is masked
    assert TensorClasses(whole, LABELS, split_seed=np.int64(0)).open().keys() == {
        "train",
        "val",
        "test",
    }


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_numbers_that_stand_for_others_are_refused() -> None:
    quantized = torch.quantize_per_tensor(torch.rand(N, 2), 0.1, 0, torch.qint8)
    with pytest.raises(ValueError, match=r"^x: is a quantized tensor.*, as x\.dequantize\(\)$"):
        TensorClasses(quantized, LABELS)


def test_a_task_that_cannot_be_filled_counts_examples() -> None:
    with pytest.raises(ValueError, match=r"class '\d' of the train split has 5 examples, but"):
        TensorClasses(X, LABELS).open()["train"].check(EpisodeSpec(2, 4, 2, 1))


def test_the_package_has_its_names() -> None:
    assert set(fewstep.data.__all__) <= set(dir(fewstep.data))
    for name in fewstep.data.__all__:
        assert getattr(fewstep.data, name).__name__ == name
    with pytest.raises(AttributeError, match=r"'fewstep\.data' has no attribute 'Nothing'"):
        _ = fewstep.data.Nothing


@pytest.mark.parametrize("mode", ["r", "c"])
def test_a_mapped_file_is_not_copied(mode: str, tmp_path) -> None:
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    data = TensorClasses(np.load(tmp_path / "x.npy", mmap_mode=mode), LABELS)
    assert "x.npy" in Path("/proc/self/maps").read_text()
    assert np.array_equal(data.x.numpy(), X.astype(np.float32))
    part = np.load(tmp_path / "x.npy", mmap_mode=mode)[3:]  # which begins elsewhere in the file
    assert np.array_equal(TensorClasses(part, LABELS[3:]).x.numpy(), X[3:].astype(np.float32))
