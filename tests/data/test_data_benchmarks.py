"""CIFAR-FS and Mini-ImageNet on made-up data in each layout that they are found in."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewstep.data import miniimagenet
from fewstep.data.cifar_fs import CifarFS
from fewstep.data.classes import class_lists
from fewstep.data.miniimagenet import MiniImageNet


SIZES = {"train": 64, "val": 16, "test": 20}


def sizes(splits: dict) -> dict[str, int]:
    return {name: len(split.classes) for name, split in splits.items()}


def png(shade: int, size: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("dataset", ["cifar_fs", "miniimagenet"])
def test_published_lists(dataset):
    parts = class_lists.published(dataset)
    assert {name: len(part) for name, part in parts.items()} == SIZES
    assert len({name for part in parts.values() for name in part}) == 100


# CIFAR-100's python version: image i of class c is all 2 c + i, with one pixel that tells the axes.

NAMES = sorted(name for part in class_lists.published("cifar_fs").values() for name in part)


@pytest.fixture
def official(tmp_path) -> Path:
    folder = tmp_path / "official" / "cifar-100-python"
    folder.mkdir(parents=True)
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": NAMES}, protocol=2))
    for i, file in enumerate(("train", "test")):
        labels = np.random.RandomState(i).permutation(100)
        data = np.repeat(2 * labels + i, 3 * 32 * 32).reshape(100, 3, 32, 32).astype(np.uint8)
        data[:, 2, 5, 7] = 255
        content = {"data": data.reshape(100, 3072), "fine_labels": labels.tolist()}
        (folder / file).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_cifar_folder_archive_and_parent(official, tmp_path):
    packed = tmp_path / "packed" / "cifar-100-python.tar.gz"
    packed.parent.mkdir()
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(official, "cifar-100-python")
    for root in (official, official.parent, packed, packed.parent):
        splits = CifarFS(root).open()
        assert sizes(splits) == SIZES
        pixels = splits["train"].pixels
        assert pixels.shape == (200, 3, 32, 32)
        assert pixels[:, 0, 0, 0].tolist() == list(range(200))
        assert (pixels[:, 2, 5, 7] == 255).all()
        assert splits["test"].class_names[splits["test"].classes[0]] == "baby"


def test_cifar_as_folders_of_images(tmp_path):
    for c, name in enumerate(NAMES):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(png(c, 32))
    assert sizes(CifarFS(tmp_path).open()) == SIZES
    (tmp_path / "otter" / "a.png").unlink()
    (tmp_path / "otter").rmdir()
    with pytest.raises(ValueError, match=r"1 of the 16 val classes are missing \(otter\)"):
        CifarFS(tmp_path).open()


def test_a_pickle_that_would_run_something_is_refused(official, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    (official / "test").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"test in .* is refused: it asks for .*\.mkdir"):
        CifarFS(official).open()
    assert not (tmp_path / "evil").exists()


def test_damaged_cifar_is_named(official, tmp_path):
    packed = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(official, "cifar-100-python")
    os.truncate(packed, packed.stat().st_size // 2)
    with pytest.raises(ValueError, match="cifar-100"):
        CifarFS(packed).open()
    (official / "meta").write_bytes(pickle.dumps({"coarse": []}))
    with pytest.raises(ValueError, match="is not CIFAR-100's python version"):
        CifarFS(official).open()
    (official / "meta").unlink()
    with pytest.raises(FileNotFoundError, match="meta is missing"):
        CifarFS(official).open()
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.*set dataset\.root=null"):
        CifarFS(tmp_path / "nowhere").open()


def test_a_folder_in_place_of_a_file_of_cifar_is_named(official, tmp_path):
    (official / "meta").unlink()
    (official / "meta").mkdir()
    packed = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(official, "cifar-100-python")
    with pytest.raises(ValueError, match=r"is damaged .*cifar-100-python/meta is no file"):
        CifarFS(packed).open()


@pytest.fixture
def wnids(monkeypatch) -> dict[str, list[str]]:
    parts = class_lists.published("miniimagenet")
    monkeypatch.setattr(miniimagenet, "SIZE", 8)
    return parts


def test_miniimagenet_as_one_folder_a_class(wnids, tmp_path):
    for split, names in wnids.items():
        for name in names:
            for root in (tmp_path / "flat" / name, tmp_path / "split" / split / name):
                root.mkdir(parents=True)
                (root / "a.png").write_bytes(png(5, 10))
    (tmp_path / "flat" / "n99999999").mkdir()  # a class that no list names
    for root in ("flat", "split"):
        splits = MiniImageNet(tmp_path / root).open()
        assert sizes(splits) == SIZES
        names = [splits["val"].class_names[c] for c in splits["val"].classes]
        assert names == wnids["val"]
        assert splits["val"].pixels.shape == (100, 3, 8, 8)


def test_miniimagenet_as_tables(wnids, tmp_path):
    (tmp_path / "images").mkdir()
    for split, names in wnids.items():
        rows = ["filename,label"]
        for name in names:
            (tmp_path / "images" / f"{name}01.png").write_bytes(png(7, 10))
            rows.append(f"{name}01.png,{name}")
        (tmp_path / f"{split}.csv").write_text("\n".join(rows))
    assert sizes(MiniImageNet(tmp_path).open()) == SIZES
    (tmp_path / "images" / f"{wnids['test'][3]}01.png").unlink()
    with pytest.raises(ValueError, match=r"test\.csv lists .*01\.png, which does not exist"):
        MiniImageNet(tmp_path).open()
    (tmp_path / "val.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"val\.csv is missing"):
        MiniImageNet(tmp_path).open()


@pytest.mark.parametrize("root", [None, "nowhere"])
def test_miniimagenet_cannot_be_downloaded(root):
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.*got by hand.*laid out as"):
        MiniImageNet(root).open()


def test_unknown_resample():
    with pytest.raises(ValueError, match=r"dataset\.resample='area': must be one of nearest"):
        MiniImageNet("somewhere", resample="area")
