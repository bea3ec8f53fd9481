"""Sweeps that are given again on other data: a job belongs to its configuration and its data."""

from __future__ import annotations

import copy
import json
import os
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewstep.commands.train import digests as digests_of
from fewstep.config.compose import compose_config, plain
from fewstep.data.image_folder import ImageFolder
from fewstep.launch.job_folders import Folders
from fewstep.records import data_record
from fewstep.run.stored.origin import digests
from made_files import FINISHED


def draw(root: Path, seed: int = 0) -> Path:
    for c in range(5):
        (root / f"class{c}").mkdir(parents=True, exist_ok=True)
        numbers = np.random.default_rng([seed, c])
        for i in range(2):
            pixels = numbers.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"class{c}" / f"{i}.png")
    return root


@cache
def composed(*words: str) -> dict:
    fixed = ["dataset=image_folder", "dataset.root=ROOT", "dataset.size=8"]
    return plain(compose_config("train", [*fixed, *words]))


def config(root: Path | str, *words: str) -> dict:
    made = copy.deepcopy(composed(*words))
    made["dataset"]["root"] = str(root)
    return made


@pytest.fixture
def sweep(tmp_path) -> Path:
    folder = tmp_path / "sweep"
    folder.mkdir()
    return folder


def worked(sweep: Path, given: dict, number: int = 0) -> Path:
    """A job of a sweep that has read its data and finished."""
    folder = Folders(sweep, digests_of).claim(given, number)
    node = given["dataset"]
    splits = ImageFolder(node["root"], 8, split_files=node["split_files"]).open()
    data_record.seen(folder, digests(splits))
    (folder / "results.json").write_text(FINISHED)
    return folder


def spoil(monkeypatch) -> None:
    """Have it fail to open data, for what is to be known without."""

    def no(*_):
        raise AssertionError("the data was opened")

    monkeypatch.setattr(ImageFolder, "open", no)


def test_what_has_not_changed_is_known_without_opening_it(sweep, tmp_path, monkeypatch):
    given = config(draw(tmp_path / "a"))
    folder = worked(sweep, given)
    spoil(monkeypatch)
    assert Folders(sweep, digests_of).claim(given, 0) == folder


SAME = {
    "touched": lambda root: os.utime(root / "class0" / "0.png", ns=(5, 5)),
    "a file beside": lambda root: (root / ".notes").write_text("mine"),
    "another root": lambda root: shutil.copytree(root, root.with_name("b")),
}
OTHER = {
    "a picture": lambda root: shutil.copy(root / "class0/0.png", root / "class1/0.png") and None,
    "a picture more": lambda root: (
        shutil.copy(root / "class0/0.png", root / "class0/2.png") and None
    ),
    "a class more": lambda root: shutil.copytree(root / "class0", root / "class9") and None,
    "a class renamed": lambda root: (root / "class0").rename(root / "class7") and None,
    "another root": lambda root: draw(root.with_name("b"), seed=1),
    "a root with a bad file": lambda root: (root / "class0" / "1.png").write_bytes(b"no") and None,
}


@pytest.mark.parametrize("change", SAME)
def test_files_that_changed_and_data_that_did_not(sweep, tmp_path, monkeypatch, change):
    root = draw(tmp_path / "a")
    folder = worked(sweep, config(root))
    root = SAME[change](root) or root
    assert Folders(sweep, digests_of).claim(config(root), 0) == folder
    spoil(monkeypatch)  # which is remembered
    assert Folders(sweep, digests_of).claim(config(root), 0) == folder


@pytest.mark.parametrize("change", OTHER)
def test_other_data_is_another_job(sweep, tmp_path, change):
    root = draw(tmp_path / "a")
    worked(sweep, config(root))
    root = OTHER[change](root) or root
    folder = Folders(sweep, digests_of).claim(config(root), 0)
    assert folder.name == "1"
    assert Folders(sweep, digests_of).claim(config(root), 0) == folder


def test_an_evaluation_is_a_job_too(sweep, tmp_path):
    """`fewstep evaluate -m`: its configuration has no algorithm, which its checkpoint brings."""
    root = draw(tmp_path / "a")
    words = ["checkpoint=last.ckpt", f"dataset.root={root}", "dataset.split=all"]
    configs = [plain(compose_config("evaluate", [*words, f"eval.seed={s}"])) for s in (0, 1)]
    folders = Folders(sweep, digests_of)
    names = [folders.claim(one, n).name for n, one in enumerate(configs)]
    assert names == ["0", "1"]
    for name in names:
        data_record.seen(sweep / name, digests(ImageFolder(root, 8).open()))
    assert Folders(sweep, digests_of).claim(configs[1], 0).name == "1"
    draw(root, seed=1)
    assert Folders(sweep, digests_of).claim(configs[1], 0).name == "2"


def test_a_list_that_puts_a_class_elsewhere_is_another_job(sweep, tmp_path):
    root, lists = draw(tmp_path / "a"), {s: tmp_path / f"{s}.txt" for s in ("train", "test")}
    for split, names in {"train": "class0\nclass1\n", "test": "class2\nclass3\n"}.items():
        lists[split].write_text(names)
    words = [f"dataset.split_files={{{','.join(f'{s}: {p}' for s, p in lists.items())}}}"]
    given = config(root, *words)
    assert worked(sweep, given) == Folders(sweep, digests_of).claim(given, 0)
    lists["train"].write_text("class0\nclass2\n")
    lists["test"].write_text("class1\nclass3\n")
    assert Folders(sweep, digests_of).claim(given, 0).name == "1"


def test_an_axis_of_roots_finds_each_its_own(sweep, tmp_path):
    roots = [draw(tmp_path / name, seed) for seed, name in enumerate("ab")]
    folders = [worked(sweep, config(root), n) for n, root in enumerate(roots)]
    assert [folder.name for folder in folders] == ["0", "1"]
    again = Folders(sweep, digests_of)
    assert [again.claim(config(root), 0) for root in reversed(roots)] == folders[::-1]


def test_a_job_that_was_cut_off_goes_on_with_its_own_data_alone(sweep, tmp_path):
    root = draw(tmp_path / "a")
    folder = worked(sweep, config(root))
    (folder / "results.json").unlink()
    assert Folders(sweep, digests_of).claim(config(root), 0) == folder
    assert Folders(sweep, digests_of).claim(config(draw(root, seed=1)), 0) != folder


@pytest.mark.parametrize("unknown", ["an older sweep", "nothing read", "the data is not there"])
def test_what_nobody_knows_counts_as_the_same(sweep, tmp_path, unknown):
    root = draw(tmp_path / "a")
    folder = worked(sweep, config(root))
    if unknown == "an older sweep":
        (folder / data_record.RECORD).unlink()
    if unknown == "nothing read":
        data_record.given(folder, {}, "0")
        record = data_record.read(folder)
        (folder / data_record.RECORD).write_text(json.dumps({"files": record["files"]}))
    if unknown == "the data is not there":
        shutil.rmtree(root)
    else:
        draw(root, seed=1)
    assert Folders(sweep, digests_of).claim(config(root), 0) == folder


def test_very_many_files_are_not_looked_at_but_opened(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(data_record, "MANY", 9)
    root = draw(tmp_path / "a")
    assert data_record.files_of({"root": root}) == ""
    folder = worked(sweep, config(root))
    assert Folders(sweep, digests_of).claim(config(root), 0) == folder
    assert Folders(sweep, digests_of).claim(config(draw(root, seed=1)), 0).name == "1"


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_record_that_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / data_record.RECORD).write_text(content)
    assert data_record.read(tmp_path) == {}


def test_only_the_folder_of_a_job_has_a_record(tmp_path):
    data_record.seen(tmp_path, {"data_sha256": "0"})
    assert not list(tmp_path.iterdir())
