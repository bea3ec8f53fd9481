"""Subjects and their decoder: ridge regressions by hand, and what must not change an answer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fewstep.core.problem import given
from fewstep.core.ridge import Ridge, decoded, encoded
from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.subject_files import SubjectFiles
from fewstep.data.subjects import Retrieval, Subjects
from fewstep.models.in_context import InContextDecoder


F64 = torch.float64


def tensor(rows: list) -> Tensor:
    return torch.tensor(rows, dtype=F64)


SEEN = {
    "support_y": tensor([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]]),
    "support_x": tensor([[2, 0.5], [0.1, 1], [-1.8, 0.3], [1.4, 1.2]]),
    "voxels": tensor([1, 1]),
    "images": tensor([1, 1, 1, 1]),
}


def test_ridge_regressions_by_hand() -> None:
    w, b, residual = voxels = encoded(SEEN)
    close = {"rtol": 0, "atol": 1e-10}
    wanted = tensor([[1.84375, 0.0729166667], [0.1430555556, 0.6236111111]])
    torch.testing.assert_close(w, wanted, **close)
    torch.testing.assert_close(b, tensor([0.115625, 0.4479166667]), **close)
    torch.testing.assert_close(residual, tensor([0.0072515191, 0.0103563850]), **close)
    found = decoded(tensor([[1, 1]]), voxels, 1 / (residual + 0.05))
    torch.testing.assert_close(found, tensor([[0.4478439511, 0.6789942296]]), **close)
    x = tensor([[1, 1], [0.5, -0.2]])
    torch.testing.assert_close(Ridge(True)(x, **SEEN)[:1].detach(), found, **close)
    torch.testing.assert_close(
        Ridge(False)(x, **SEEN).detach(), decoded(x, voxels, tensor([1, 1])), **close
    )


def padded(values: Tensor, rows: int, columns: int) -> Tensor:
    made = values.new_zeros(len(values) + rows, values.shape[1] + columns)
    made[: len(values), : values.shape[1]] = values
    return made


MODELS = {
    "in context": lambda: InContextDecoder(d=2, width=8),
    "ridge": lambda: Ridge(False),
    "weighted ridge": lambda: Ridge(True),
}


@pytest.mark.parametrize("model", MODELS)
def test_neither_the_order_of_voxels_nor_padding_changes_an_answer(model: str) -> None:
    torch.manual_seed(0)
    module = MODELS[model]().double()
    x = tensor([[1, 1], [0.5, -0.2], [0, 0.3]])
    wanted = module(x, **SEEN)
    order = {"support_x": SEEN["support_x"].flip(1)}
    torch.testing.assert_close(module(x.flip(1), **{**SEEN, **order}), wanted, rtol=0, atol=1e-12)
    more = {
        "support_x": padded(SEEN["support_x"], 3, 2),
        "support_y": padded(SEEN["support_y"], 3, 0),
        "voxels": tensor([1, 1, 0, 0]),
        "images": tensor([1, 1, 1, 1, 0, 0, 0]),
    }
    torch.testing.assert_close(module(padded(x, 0, 2), **more), wanted, rtol=0, atol=1e-12)
    other = module(x, **{**SEEN, "support_x": 2 * SEEN["support_x"]})
    assert (other - wanted).abs().max() > 1e-4


def test_without_context_nothing_is_told() -> None:
    torch.manual_seed(0)
    module = InContextDecoder(d=2, width=8, context=False).double()
    x = tensor([[1, 1], [0.5, -0.2]])
    other = module(x, **{**SEEN, "support_x": 2 * SEEN["support_x"]})
    assert torch.equal(module(x, **SEEN), other)
    assert sum(p.numel() for p in InContextDecoder().parameters()) == 94_864


def test_the_objective_by_hand() -> None:
    z = tensor([[1, 0], [0, 2]])
    found = Retrieval().metrics(tensor([[3, 0], [4, 3]]), z)
    assert found["acc"].item() == 0.5
    likeness = tensor([[1, 0], [0.8, 0.6]])
    logs = (likeness / 0.2).log_softmax(1), (likeness / 0.2).log_softmax(0)
    losses = [1 - likeness[i, i] - 0.05 * (logs[0][i, i] + logs[1][i, i]) for i in range(2)]
    assert found["loss"].item() == pytest.approx(sum(losses).item() / 2, rel=1e-12)


# --- subjects


def task(split: str, shots: int = 12, index: int = 0, **keys) -> Episode:
    family = Subjects(voxels=(4, 10), test_voxels=6, fewest_images=5, **keys)
    return family.open()[split].to("cpu", F64).episode(EpisodeSpec(1, shots, 3, 0), 0, index)


def test_a_training_subject_is_padded_and_a_test_subject_is_whole() -> None:
    sizes = set()
    for index in range(60):
        found = task("train", index=index)
        voxels, images = found.extras["voxels"], found.extras["images"]
        assert found.support_x.shape == (12, 10)
        assert found.query_y.shape == (3, 16)
        assert not found.support_x[:, voxels == 0].any()
        assert not found.support_x[images == 0].any()
        assert not found.support_y[images == 0].any()
        assert not found.query_x[:, voxels == 0].any()
        sizes.add((int(voxels.sum()), int(images.sum())))
    assert {v for v, _ in sizes} == set(range(4, 11))
    assert {n for _, n in sizes} == set(range(5, 13))
    test = task("test")
    assert test.support_x.shape == (12, 6)
    assert test.extras["voxels"].all()
    assert test.extras["images"].all()
    many = torch.stack([task("test", index=i).query_y for i in range(200)])
    assert many.mean().abs() < 0.04
    assert many.std().item() == pytest.approx(1, abs=0.04)


def test_the_answers_are_linear_with_noise_of_each_voxel() -> None:
    """Almost without noise a ridge regression of many pictures finds every one."""
    found = task("test", shots=400, d=2, rank=2, noise=1e-6)
    ridge = Ridge(True)
    outputs = ridge(found.query_x, **given(ridge, found)).detach()
    assert Retrieval().metrics(outputs, found.query_y)["acc"] == 1
    w, b, residual = encoded(given(ridge, found), penalty=0.0)
    assert residual.max() < 1e-9
    assert b.abs().max() > 0.1
    assert w.abs().max() > 0.1
    assert torch.linalg.svdvals(w).min() > 0.01


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Subjects(rank=0), "dataset.rank=0: must be at least 1"),
        (lambda: Subjects(noise=0.0), "dataset.noise=0.0: must be above 0. For example 0.35"),
        (lambda: Subjects(fewest_images=1), "dataset.fewest_images=1: a voxel's answer to one pic"),
        (lambda: Subjects(voxels=(8, 4)), "dataset.voxels=[8, 4], dataset.test_voxels=64: must be"),
        (lambda: Subjects(voxels=[16]), "dataset.voxels=[16], dataset.test_voxels=64: must be the"),
        (lambda: Subjects(voxels=16), "dataset.voxels=[16], dataset.test_voxels=64: must be the"),
        (
            lambda: SubjectFiles("a", fewest_images=1),
            "dataset.fewest_images=1: a voxel's answer to",
        ),
        (lambda: SubjectFiles("a", test_voxels=0), "dataset.test_voxels=0: must be at least 1"),
        (
            lambda: Subjects(test_voxels=5000),
            "dataset.test_voxels=5000: must be the fewest and",
        ),
        (
            lambda: task("test", shots=1),
            "shots=1: a subject of the test split is seen with at",
        ),
        (
            lambda: task("train", shots=4),
            "shots=4: a subject of the train split is seen with",
        ),
        (lambda: InContextDecoder(width=6), "model.width=6: must be a multiple of 4, its heads"),
        (lambda: InContextDecoder(blocks=0), "model.blocks=0: must be at least 1"),
    ],
)
def test_what_is_refused(make, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        make()


# --- subjects in files


def recorded(folder: Path, n: int = 9, voxels: int = 6, **changed: np.ndarray) -> Path:
    """Three subjects, the last of them with other numbers."""
    rng = np.random.default_rng(0)
    for i in range(3):
        content = {"betas": rng.normal(size=(n, voxels)), "embeddings": rng.normal(size=(n, 2))}
        np.savez(folder / f"s{i}.npz", **(content | (changed if i == 2 else {})))
    return folder


def files(folder: Path, **keys) -> SubjectFiles:
    return SubjectFiles(str(folder), d=2, voxels=(3, 5), test_voxels=4, fewest_images=3, **keys)


def test_a_task_is_some_voxels_and_pictures_of_a_subject(tmp_path: Path) -> None:
    splits = files(recorded(tmp_path)).open()
    held = {name: len(split.family.subjects) for name, split in splits.items()}
    assert held == {"train": 2, "test": 1}
    spec = EpisodeSpec(1, 5, 3, 0)
    found = splits["test"].to("cpu", F64).episode(spec, 0, 0)
    assert found.support_x.shape == (5, 4)
    whole = np.load(tmp_path / "s2.npz")
    for beta, z in zip(found.query_x.numpy(), found.query_y.numpy(), strict=True):
        (row,) = np.flatnonzero((whole["embeddings"] == z).all(1))
        assert set(beta) < set(whole["betas"][row])
    train = splits["train"].episode(spec, 0, 0)
    assert train.support_x.shape == (5, 5)
    assert 3 <= train.extras["voxels"].sum() <= 5


@pytest.mark.parametrize(
    ("changed", "keys", "told"),
    [
        (
            {"betas": np.full((9, 6), 0.1) * [1, 7, 3, 1, 1, 1]},
            {},
            "s2.npz: 6 voxels have no variance (the first is 0)",
        ),
        ({"betas": np.ones((9, 6))}, {}, "s2.npz: 6 voxels have no variance (the first is 0), and"),
        ({"betas": np.full((9, 6), np.nan)}, {}, "s2.npz: holds values that are not finite. Leave"),
        ({"embeddings": np.ones((9, 3))}, {}, "embeddings of [9, 3]: must be [n, V] and [n, 2] of"),
        ({"betas": np.ones(9)}, {}, "s2.npz: has betas of [9] and embeddings of [9, 2]: must be"),
        ({}, {"test_subjects": 3}, "has 3 .npz files, a subject each: must be more than those of"),
    ],
)
def test_files_that_cannot_be(changed: dict, keys: dict, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        files(recorded(tmp_path, **changed), **keys).open()


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    np.savez(tmp_path / "s1.npz", betas=np.zeros((0, 6)), embeddings=np.zeros((0, 2)))
    with pytest.raises(ValueError, match=r"s1\.npz: has no rows, of which each is a") as refused:
        files(tmp_path).open()
    assert str(refused.value) == (
        f"{tmp_path / 's1.npz'}: has no rows, of which each is a picture that the subject has "
        "seen. Leave the file out"
    )


def test_pictures_of_meta_test_are_left_out_of_the_training_files(tmp_path: Path) -> None:
    """As they are written down in any precision, for meta-test asks for them."""
    folder = recorded(tmp_path)
    before = files(folder).open()["train"]
    digest, whole = before.data_sha256, before.family.subjects[0].betas
    last, first = (dict(np.load(folder / f"s{i}.npz")) for i in (2, 0))
    first["embeddings"][[1, 4]] = last["embeddings"][[0, 8]].astype(np.float32)
    np.savez(folder / "s0.npz", **first)
    told = f"dataset.root='{folder}': 2 of 18 rows of the training files are of pictures that "
    told += "files for meta-test have as well, and are left out, so that meta-test asks for new"
    with pytest.warns(UserWarning, match=re.escape(told)):
        splits = files(folder).open()
    train, test = (splits[name].family.subjects for name in ("train", "test"))
    assert [len(one.betas) for one in (*train, *test)] == [7, 9, 9]
    assert np.array_equal(train[0].betas, np.delete(whole, [1, 4], 0))
    asked = {row.tobytes() for row in test[0].embeddings.astype(np.float32)}
    for one in train:
        assert not asked & {row.tobytes() for row in one.embeddings.astype(np.float32)}
    assert splits["train"].data_sha256 != digest
    np.savez(folder / "s1.npz", betas=first["betas"], embeddings=last["embeddings"])
    with pytest.raises(ValueError, match=r"^s1.npz: all its 9 pictures are in files for meta-te"):
        files(folder).open()


def test_files_without_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("nothing")
    recorded(tmp_path)
    with pytest.raises(ValueError, match=r"a.npz: must be an .npz file with betas \[n, V\] and"):
        files(tmp_path).open()
    (tmp_path / "a.npz").unlink()
    with pytest.raises(ValueError, match=r"s0.npz: has 6 voxels, and dataset.voxels and dataset"):
        SubjectFiles(str(tmp_path), d=2, voxels=(3, 7)).open()
    with pytest.raises(ValueError, match=r"s0.npz: has 9 pictures, but shots \+ queries = 7 \+ 3"):
        files(tmp_path).open()["train"].check(EpisodeSpec(1, 7, 3, 0))
    with pytest.raises(ValueError, match=r"dataset.voxels=\[5, 3\], dataset.test_voxels=200: mus"):
        SubjectFiles(str(tmp_path), voxels=(5, 3))


def test_the_digest_of_subjects_is_of_all_of_them(tmp_path: Path) -> None:
    """A run is told by its first split, and the last subject is of the other."""
    folder, digests = recorded(tmp_path), []
    for change in (0, 0, 1):
        whole = dict(np.load(folder / "s2.npz"))
        np.savez(folder / "s2.npz", betas=whole["betas"] + change, embeddings=whole["embeddings"])
        digests.append({split.data_sha256 for split in files(folder).open().values()})
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 1
