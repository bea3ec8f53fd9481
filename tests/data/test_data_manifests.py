"""Tasks as a file: the same tensors again, and what is no such file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.made_splits import made_split

from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import episodes_sha256
from fewstep.data.manifests import arrays, lake, manifest
from fewstep.data.manifests.listed import listed


ROOT = Path(__file__).resolve().parents[2]
SPEC = EpisodeSpec(ways=5, shots=2, queries=1, steps=3, batch_size=4)


def split(images: int = 8) -> ClassSplit:
    return made_split([f"class {c}" for c in range(12)], images)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.npz"
    manifest.write(path, manifest.of(split(), SPEC, 7, 6))
    return path


@pytest.mark.parametrize("varies", [False, True])
def test_a_manifest_gives_the_same_tensors_and_the_same_hash(tmp_path: Path, varies: bool) -> None:
    spec, path = replace(SPEC, varies=varies, ways=7), tmp_path / "tasks.npz"
    manifest.write(path, manifest.of(split(), spec, 7, 6))
    read, source = manifest.read(path), split()
    again = listed(source, read)
    assert read.sha256 == episodes_sha256(source, spec, 7, 6) == episodes_sha256(again, spec, 7, 6)
    for index in range(6):
        drawn, given = source.episode(spec, 7, index), again.episode(spec, 7, index)
        for one, other in zip(drawn[:6], given[:6], strict=True):
            assert torch.equal(one, other)  # pyright: ignore[reportArgumentType]
    assert read.fits(spec)
    assert not read.fits(replace(spec, ways=8))


def test_the_same_tasks_give_the_same_bytes(file: Path, tmp_path: Path) -> None:
    manifest.write(tmp_path / "again.npz", manifest.of(split(), SPEC, 7, 6))
    assert file.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_the_digest_of_the_whole_is_that_of_the_documentation(file: Path) -> None:
    whole = {name: array.tolist() for name, array in np.load(file).items()}
    about = json.loads(whole["about"])
    told = about.pop("content_sha256"), about.pop("episodes_sha256")
    text = "[ways, classes, shots, queries, support, query, class_ids, class_names, about]"
    assert f"json.dumps({text}, sort_keys=True)" in (ROOT / "docs" / "episodes.md").read_text()
    content = json.dumps(eval(text, {}, whole | {"about": about}), sort_keys=True)
    assert told[0] == hashlib.sha256(content.encode()).hexdigest() != told[1]


def test_the_reader_of_the_documentation_gives_the_same_tensors(file: Path) -> None:
    page = (ROOT / "docs" / "episodes.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    scope: dict = {}
    exec(code, scope)
    source, tasks = split(), scope["read"](file)
    assert len(tasks) == 6
    for index, task in enumerate(tasks):
        episode = source.episode(SPEC, 7, index)
        for place, (name, support, query) in enumerate(task):
            start = source.starts[source.class_names.index(name)]
            own = source.pixels[start : start + 8].float()
            assert torch.equal(episode.support_x[episode.support_y == place], own[support])
            assert torch.equal(episode.query_x[episode.query_y == place], own[query])


def changed(file: Path, **others) -> Path:
    with np.load(file) as whole:
        content = dict(whole)
    said = others.pop("about", {})
    about = None if said is None else np.array(json.dumps(json.loads(str(content["about"])) | said))
    kept = content | others | {"about": about}
    np.savez_compressed(file, **{name: a for name, a in kept.items() if a is not None})
    return file


STRANGE = {
    "a number below 0": (
        {"support": np.full(60, -1)},
        "it cannot be read as a manifest (it has a number below 0)",
    ),
    "too few images": (
        {"support": np.zeros(3, int)},
        "it cannot be read as a manifest (it has other numbers of images than it says)",
    ),
    "no classes": ({"classes": None}, "it cannot be read as a manifest (it has no classes)"),
    "other tasks": ({"query": np.zeros(30, int)}, "it has been changed"),
    "another format": ({"about": {"format": 9}}, "it is of format 9, and this reads 2"),
    "no about": ({"about": None}, "it cannot be read as a manifest (it has no about)"),
    "ways of text": ({"about": {"ways": "5"}}, "(its ways is 5)"),
    "no seed": ({"about": {"seed": -1}}, "(its seed is -1)"),
    "a seed of 65 bits": ({"about": {"seed": 2**64}}, "(its seed is 18446744073709551616)"),
    "data of nothing": ({"about": {"data_sha256": None}}, "(its data_sha256 is None)"),
    "ids of text": (
        {"class_ids": np.array(["a"])},
        "(its class_ids is of <U1 in 1 dimensions, and must be whole numbers in 1)",
    ),
    "fractions": (
        {"shots": np.full(30, 2.0)},
        "(its shots is of float64 in 1 dimensions, and must be whole numbers in 1)",
    ),
    "complex numbers": ({"query": np.zeros(30, complex)}, "(its query is of complex128 in 1 dim"),
    "ways in a table": (
        {"ways": np.full((6, 1), 5)},
        "(its ways is of int64 in 2 dimensions, and must be whole numbers in 1)",
    ),
    "names of numbers": ({"class_names": np.arange(12)}, "(its class_names is of int64 in 1 dim"),
    "objects": ({"ways": np.full(6, None)}, "(its ways holds neither numbers nor texts)"),
    "names alone": (
        {"class_ids": np.zeros(0, int)},
        "(it has other numbers of class_ids than of class_names)",
    ),
    "a class with two names": (
        {"class_ids": np.array([3, 3]), "class_names": np.array(["class 3", "class 4"])},
        "(its class_ids have one twice)",
    ),
    "no names": (
        {"class_ids": np.zeros(0, int), "class_names": np.array([], dtype="U1")},
        "it has been changed",
    ),
    "other names": (
        {"class_names": np.roll([f"class {c}" for c in range(12)], 1)},
        "content has the content_sha256 ",
    ),
    "other shots": ({"shots": np.array([1, 3] + [2] * 28)}, "content has the content_sha256 "),
    "another seed": ({"about": {"seed": 8}}, "its content has the content_sha256 "),
    "another dataset": ({"about": {"dataset": "glyphs"}}, "its content has the content_sha256 "),
    "another split": ({"about": {"split": "val"}}, "its content has the content_sha256 "),
    "an older format": (
        {"about": {"format": 1}},
        "it cannot be read as a manifest (it is of format 1, which has no content_sha256, and this "
        "reads 2; remove it and write it anew with the same overrides)",
    ),
    "no tasks": (
        {name: np.zeros(0, int) for name in arrays.PARTS},
        "it cannot be read as a manifest (it has no tasks)",
    ),
    "other ways": ({"about": {"ways": 6}}, "its content has the content_sha256 "),
}


def test_a_task_of_somebodys_that_is_none_is_refused(file: Path, tmp_path: Path) -> None:
    """With the hash that its tasks do have."""
    tasks = manifest.read(file)
    first = tasks.tasks[0]
    for changes, text in (
        ({"classes": first.classes[[0, 0, 2, 3, 4]]}, "its task 0 has a class twice"),
        ({"query": first.support[::2]}, "its task 0 asks for an image that it has shown"),
        ({"support": np.repeat(first.support[::2], 2)}, "its task 0 shows an image twice"),
        ({"shots": (1, 3, 2, 2, 2)}, "its task 0 is 5-way 3-shot, and it says 5-way 2-shot with 1"),
        ({"queries": (2, 1, 1, 1), "query": first.query}, "have other numbers of classes than"),
    ):
        manifest.write(tmp_path / "x.npz", replace(tasks, tasks=[first._replace(**changes)]))
        with pytest.raises(ValueError, match=text):
            manifest.read(tmp_path / "x.npz")


def test_an_image_that_is_asked_for_twice_is_refused(file: Path, tmp_path: Path) -> None:
    tasks = manifest.read(file)
    first = tasks.tasks[0]
    twice = first._replace(queries=(2,) * 5, query=np.repeat(first.query, 2))
    about = {**tasks.about, "queries": 2}
    manifest.write(tmp_path / "x.npz", replace(tasks, about=about, tasks=[twice]))
    with pytest.raises(ValueError, match="its task 0 asks for an image twice"):
        manifest.read(tmp_path / "x.npz")


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_manifest_is_refused(file: Path, what: str) -> None:
    others, words = STRANGE[what]
    with pytest.raises(ValueError, match=r"^it|^its") as told:
        manifest.read(changed(file, **others))
    assert words in str(told.value)


def test_any_other_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks.npz"
    path.write_text("tasks")
    none = r"^it cannot be read as a manifest \(it is no NumPy archive\)$"
    with pytest.raises(ValueError, match=none):
        manifest.read(path)
    np.save(tmp_path / "one.npy", np.arange(3))
    with pytest.raises(ValueError, match=none):
        manifest.read(tmp_path / "one.npy")
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match=r"\(it is a folder, or no plain file\)$"):
            manifest.read(odd)
    np.savez(path, about=np.array({"a": 1}, dtype=object))
    with pytest.raises(ValueError, match=r"^it "):
        manifest.read(path)


def test_other_data_classes_and_images_are_refused(file: Path) -> None:
    tasks = manifest.read(file)
    with pytest.raises(ValueError, match=r"^its tasks are of other data than the test split's"):
        listed(split(images=9), tasks)
    few = split().having("test", [0, 1, 2])
    with pytest.raises(ValueError, match="which is not in the test split of made_up here"):
        listed(few, tasks)
    other = replace(tasks, names={**tasks.names, 2: "class 3"})
    with pytest.raises(ValueError, match=r"^its class 2 is class 3, and that of made_up here is c"):
        listed(split(), other)
    beyond = replace(tasks, names={**tasks.names, 12: "class 12"})
    with pytest.raises(
        ValueError, match=r"^its class 12 is class 12, and that of made_up here is n"
    ):
        listed(split(), beyond)
    first = tasks.tasks[0]
    wrong = replace(tasks, tasks=[first._replace(support=first.support + 8)])
    with pytest.raises(ValueError, match=r"its task 0 has image \d+ of class .*, which has 8"):
        listed(split(), wrong)


# --- the Omniglot challenge


def test_the_list_has_twenty_runs_of_twenty_characters_of_one_alphabet() -> None:
    rows = lake.rows()
    assert len(rows) == 800
    for run in range(1, 21):
        own = [row for row in rows if int(row["run"]) == run]
        assert len({row["alphabet"] for row in own}) == 1
        for role in ("support", "query"):
            part = [row for row in own if row["role"] == role]
            assert sorted(int(row["class"]) for row in part) == list(range(1, 21))
            assert len({row["character"] for row in part}) == 20
        assert len({row["drawing"] for row in own}) == 40


def tiny_list() -> list[dict[str, str]]:
    """Two runs of two characters."""
    text = "1 support 1 A/a 01_02,1 support 2 A/b 02_02,1 query 1 A/a 01_05,1 query 2 A/b 02_06"
    text += ",2 support 1 B/c 03_01,2 support 2 B/d 04_01,2 query 2 B/d 04_03,2 query 1 B/c 03_04"
    rows = []
    for part in text.split(","):
        run, role, position, name, drawing = part.split()
        alphabet, character = name.split("/")
        rows.append(
            dict(run=run, role=role, item="1", alphabet=alphabet, character=character)
            | {"class": position, "drawing": f"{drawing}.png"}
        )
    return rows


def test_a_run_is_a_task_of_these_drawings() -> None:
    source = made_split([f"{c}/rot0" for c in ("A/a", "A/b", "B/c", "B/d")])
    tasks = lake.manifest(source, tiny_list())
    spec = EpisodeSpec(ways=2, shots=1, queries=1, steps=0)
    again = listed(source, tasks)
    first, second = (again.episode(spec, 0, index) for index in range(2))
    assert first.support_x.flatten().tolist() == [1, 21]
    assert first.query_x.flatten().tolist() == [4, 25]
    assert second.support_x.flatten().tolist() == [40, 60]
    assert second.query_x.flatten().tolist() == [43, 62]
    assert tasks.fits(spec)


def test_a_run_that_asks_for_another_character_or_is_of_other_data_is_refused() -> None:
    source = made_split([f"{c}/rot0" for c in ("A/a", "A/b", "B/c", "B/d")])
    rows = tiny_list()
    rows[2] = rows[2] | {"character": "b"}
    with pytest.raises(ValueError, match="a run asks for other characters than it shows"):
        lake.manifest(source, rows)
    with pytest.raises(ValueError, match=r"^there is no A/b/rot0 in the data$"):
        lake.manifest(made_split(["A/a/rot0", "B/c/rot0"]), tiny_list())
