"""Whose data, whose classes: digests, leaks, and what is refused unless it is asked for."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fewstep.commands import evaluate, train
from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import episodes_sha256
from fewstep.data.glyphs import Glyphs
from fewstep.data.image_folder import ImageFolder
from fewstep.data.sine import Sine


pytestmark = pytest.mark.usefixtures("undrawn")

SPEC = EpisodeSpec(ways=2, shots=1, queries=1, steps=1)
NAMES = [f"class{i:02}" for i in range(12)]


def draw(root: Path, names: list[str] = NAMES, images: int = 3, seed: int = 0) -> Path:
    """A folder of classes with grey 8x8 images, each drawn by its name."""
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        numbers = np.random.default_rng([seed, *name.encode()])
        for i in range(images):
            pixels = numbers.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def opened(root: Path, **changed: object) -> dict[str, ClassSplit]:
    settings = {"size": 8, "channels": 1, "val": 0.2, "test": 0.25, **changed}
    return ImageFolder(root, **settings).open()


def digest(root: Path, **changed: object) -> str:
    splits = opened(root, **changed)
    (found,) = {split.data_sha256 for split in splits.values()}
    return found


def packed(root: Path, to: Path, top: str = "") -> Path:
    with zipfile.ZipFile(to, "w") as made:
        for file in sorted(root.rglob("*.png")):
            made.write(file, f"{top}{file.relative_to(root)}")
    return to


# --- the digest


@pytest.mark.parametrize("way", ["another folder", "zip", "zip with a top folder", "zip a class"])
def test_the_digest_is_that_of_the_images_wherever_they_are(tmp_path, way):
    root = draw(tmp_path / "images")
    if way == "another folder":
        other = shutil.copytree(root, tmp_path / "elsewhere")
    elif way == "zip a class":
        (other := tmp_path / "zips").mkdir()
        for folder in root.iterdir():
            packed(folder, other / f"{folder.name}.zip")
    else:
        other = packed(root, tmp_path / "images.zip", "top/" * ("top" in way))
    assert digest(root) == digest(other)
    assert digest(root) == digest(root, val=0, test=0.5, split_seed=3)  # whatever is in which split


CHANGES = {
    "a pixel": lambda root: draw(root, [NAMES[3]], seed=1),
    "an image more": lambda root: draw(root, [NAMES[3]], images=4),
    "an image less": lambda root: (root / NAMES[3] / "1.png").unlink(),
    "a name": lambda root: (root / NAMES[3]).rename(root / "other"),
    "a class more": lambda root: draw(root, ["class99"]),
    "a class less": lambda root: shutil.rmtree(root / NAMES[3]),
    "images swapped": lambda root: swap(root / NAMES[3] / "0.png", root / NAMES[4] / "0.png"),
    "names swapped": lambda root: swap(root / NAMES[3], root / NAMES[4]),
}


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside), other.rename(one), aside.rename(other)


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with(tmp_path, change):
    before = digest(draw(tmp_path))
    CHANGES[change](tmp_path)
    assert digest(tmp_path) != before


def test_the_digest_does_not_hang_on_how_a_system_writes_accents(tmp_path):
    one, other = draw(tmp_path / "c", [*NAMES, "e\u0301"]), draw(tmp_path / "d", NAMES)
    shutil.copytree(one / "e\u0301", other / "\u00e9")
    assert digest(one) == digest(other)


@pytest.mark.parametrize("channels", [1, 3])
def test_without_a_known_digest_it_is_made_from_the_pixels(tmp_path, channels):
    split = opened(draw(tmp_path), channels=channels)["test"]
    known = split.data_sha256
    split.digest = None
    assert split.to("cpu", torch.float64).data_sha256 == known


def test_what_a_program_makes_is_told_by_what_makes_it():
    cases = [Glyphs(classes=20), Glyphs(classes=30), Glyphs(classes=20, seed=1), Sine(), Sine(60)]
    found = [case.open()["test"].data_sha256 for case in cases]
    assert len(set(found)) == len(cases)
    assert found[0] == Glyphs(classes=20, val=0.3, split="all").open()["test"].data_sha256
    assert found[3] == Sine().open()["train"].to("cpu").data_sha256
    assert all(len(one) == 64 for one in found)


def test_the_first_glyphs_of_any_seed_are_classes_of_their_own():
    one, other = (Glyphs(classes=20, seed=seed).open()["test"].class_names for seed in (0, 1))
    assert one[0] == "glyph0"
    assert not set(one) & set(other)


@pytest.mark.parametrize("make", [lambda root: ImageFolder(root, 8, 1, split="all"), None])
def test_all_classes_can_be_the_test_split(tmp_path, make):
    dataset = make(draw(tmp_path, NAMES[:2])) if make else Glyphs(classes=20, split="all")
    splits = dataset.open()
    assert list(splits) == ["test"]
    assert len(splits["test"].classes) == (2 if make else 20)
    with pytest.raises(ValueError, match=r"dataset.split='every': must be all"):
        type(dataset)(**{"root": tmp_path} if make else {}, split="every")


# --- runs


Run = Callable[..., dict]

DATA = ["dataset=image_folder", "dataset.size=8", "dataset.channels=1", "dataset.test=0.25"]
ALONE = ["trainer=cpu", "execution=serial"]
TINY = [*DATA, *ALONE, "model=omniglot_conv", "model.channels=2", "shots.ways=2"]
TINY += ["shots.train_shots=2", "meta_batch=1", "max_meta_iterations=2", "checkpoint_every=1"]
TINY += ["algorithm.inner.steps=1", "eval.steps=1", "eval.tasks=20", "eval.curve_tasks=2"]
TINY += ["eval.val_every=null", "log_every=1", "dataset.split_seed=5"]


@pytest.fixture
def run(tmp_path_factory, monkeypatch, capfd) -> Run:
    """Run a command in an empty folder; its results, or as `error` what it said."""

    def call(main: Callable, *words: str) -> dict:
        where = tmp_path_factory.mktemp("run")
        monkeypatch.chdir(where)
        monkeypatch.setattr("sys.argv", ["fewstep"])
        status = main([*words, "hydra.run.dir=here"])
        said = capfd.readouterr()
        if status:
            assert not any(where.iterdir()), "it was refused after something was written"
            return {"error": said.err.strip().splitlines()[-1]}
        return reported(where / "here")

    return call


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("pictures") / "images")


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory) -> Path:
    """The run directory of a training on `pictures`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        patch.setattr("sys.argv", ["fewstep"])
        assert train.main([*TINY, f"dataset.root={pictures}", "hydra.run.dir=here"]) == 0
        return Path("here").resolve()


@pytest.fixture
def grown(pictures, tmp_path) -> Path:
    """A copy of `pictures` with six classes more."""
    root = shutil.copytree(pictures, tmp_path / "grown")
    return draw(root, [f"another{i}" for i in range(6)])


@pytest.fixture
def changed(pictures, tmp_path) -> Path:
    """The same classes with other pictures."""
    return draw(tmp_path / "changed", seed=1)


def reported(trained: Path) -> dict:
    return json.loads((trained / "results.json").read_text())


def saved(trained: Path) -> dict:
    return torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)["fewstep"]


def same_tasks(one: dict, other: dict) -> None:
    for a, b in zip(one["results"], other["results"], strict=True):
        assert a["episodes_sha256"] == b["episodes_sha256"]
        assert (a["acc"], a["loss"]) == (b["acc"], b["loss"])


def test_a_run_says_what_data_it_saw(trained, pictures):
    splits = opened(pictures, val=0.15, split_seed=5)
    assert reported(trained)["data_sha256"] == splits["test"].data_sha256
    content = saved(trained)
    assert content["data_sha256"] == splits["test"].data_sha256
    assert sorted(name for part in content["classes"].values() for name in part) == NAMES
    test = splits["test"]
    assert content["classes"]["test"] == [test.class_names[i] for i in test.classes]
    assert content["classes"].keys() == {"train", "val", "test"}


def test_a_folder_with_more_classes_gives_the_same_test(trained, grown, run):
    """Shuffled anew, trained classes would be among those of the test."""
    afresh = opened(grown, val=0.15, split_seed=5)["test"]
    classes = saved(trained)["classes"]
    assert {afresh.class_names[i] for i in afresh.classes} & set(classes["train"])
    again = run(evaluate.main, f"checkpoint={trained}", f"dataset.root={grown}", *ALONE)
    same_tasks(again, reported(trained))
    for name in ("data_sha256", "classes_sha256"):
        assert again[name] == reported(trained)[name]
    assert again["trained_on"] is None


def test_other_data_is_refused_and_can_be_asked_for(trained, pictures, changed, run):
    words = [f"checkpoint={trained}", f"dataset.root={changed}", *ALONE]
    error = run(evaluate.main, *words)["error"]
    for part in (f"dataset.root={pictures}", f"dataset.root={changed}", "other_data=true"):
        assert part in error
    other = run(evaluate.main, *words, "other_data=true")
    for a, b in zip(other["results"], reported(trained)["results"], strict=True):
        assert a["episodes_sha256"] == b["episodes_sha256"]  # the same classes, other pictures
    assert other["data_sha256"] != reported(trained)["data_sha256"]
    assert other["classes_sha256"] == reported(trained)["classes_sha256"]


def test_a_class_that_is_gone_is_named(trained, pictures, tmp_path, run):
    root = shutil.copytree(pictures, tmp_path / "less")
    gone = saved(trained)["classes"]["test"][1]
    shutil.rmtree(root / gone)
    words = [f"checkpoint={trained}", f"dataset.root={root}", *ALONE]
    assert f"lacks 1 of its classes ({gone})" in run(evaluate.main, *words)["error"]
    error = run(evaluate.main, *words, "other_data=true")["error"]
    assert f"1 of its 3 test classes are not in dataset.root={root} ({gone})" in error


def test_training_images_may_be_gone_where_it_is_asked_for(trained, pictures, tmp_path, run):
    root = shutil.copytree(pictures, tmp_path / "less")
    for name in saved(trained)["classes"]["train"]:
        shutil.rmtree(root / name)
    words = [f"checkpoint={trained}", f"dataset.root={root}", *ALONE, "other_data=true"]
    found = run(evaluate.main, *words)
    assert [r["acc"] for r in found["results"]] == [r["acc"] for r in reported(trained)["results"]]


# --- on other data, on purpose


def test_what_was_trained_on_is_no_test(trained, pictures, run):
    words = [f"checkpoint={trained}", "dataset.split=all", *ALONE]
    error = run(evaluate.main, *words)["error"]
    trained_on = saved(trained)["classes"]["train"]
    assert f"was trained on {len(trained_on)} of the 12 test classes of dataset.root=" in error
    assert error.endswith("Leave them out with eval.trained_classes=leave_out, or test on others")
    found = run(evaluate.main, *words, "eval.trained_classes=leave_out")
    assert found["data_sha256"] == reported(trained)["data_sha256"]
    assert found["classes_sha256"] != reported(trained)["classes_sha256"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["dataset=glyphs", "dataset.classes=20"], "glyphs"),
        (["dataset=image_folder", "dataset.root={other}"], "image_folder"),
        (["dataset=image_folder", "dataset.root={other}", "dataset.split=all"], "image_folder"),
        (["dataset.split=all", "dataset.root={other}/a.zip"], "image_folder"),
        (["dataset.root={other}", "dataset.split=all"], "image_folder"),
    ],
)
def test_across_domains(trained, tmp_path, run, words, name):
    """Two classes are too few to be split, and enough to test on; images come in the size that
    the network takes."""
    two = "dataset.split=all" in words
    other = draw(tmp_path / "other", [f"new{i}" for i in range(2 if two else 10)])
    if "zip" in words[1]:
        packed(other, tmp_path / "a.zip")
        shutil.rmtree(other), other.mkdir()
        shutil.move(tmp_path / "a.zip", other)
    words = [word.format(other=other) for word in words]
    found = run(evaluate.main, f"checkpoint={trained}", *ALONE, *words)
    assert found["dataset"] == name
    known = reported(trained)
    assert found["trained_on"] == {"dataset": "image_folder", "data_sha256": known["data_sha256"]}
    assert found["data_sha256"] != known["data_sha256"]
    assert all(0 <= entry["acc"] <= 1 for entry in found["results"])


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["dataset=sine"], ["dataset=sine: its tasks are of another kind (Regression)"]),
        (
            ["dataset=glyphs", "dataset.size=64"],
            ["does not take the images of 1x64x64 of dataset=glyphs"],
        ),
        (["dataset.split=all", "dataset.channels=3", "dataset.root={other}"], ["3x8x8"]),
        (["dataset=image_folder"], ["was trained on 2 of the 2 test classes"]),
        (["dataset=image_folder", "dataset.root=nowhere"], ["'nowhere' does not exist"]),
        (["dataset=image_folder", "dataset.root={other}", "dataset.test=0.1"], ["split=all"]),
        (["dataset.split=every"], ["dataset.split='every': must be all"]),
        (["dataset=glyphs", "eval.split=val", "dataset.split=all"], ["only test"]),
        (["model=omniglot_conv"], ["model=omniglot_conv: evaluate keeps"]),
        (["shots=5w5s"], ["shots=5w5s: evaluate keeps"]),
        (["dataset=glyphs", "+algorithm.name=x"], ["evaluate keeps"]),
        (["dataset.clases=3"], ["dataset.clases"]),
        (
            ["eval.trained_classes=keep"],
            ["eval.trained_classes=keep: must be one of refuse, leave"],
        ),
        (["other_data=maybe"], ["other_data=maybe: must be true or false"]),
    ],
)
def test_what_does_not_fit_is_said(trained, tmp_path, run, words, parts):
    other = draw(tmp_path / "other", [f"new{i}" for i in range(6)])
    words = [word.format(other=other) for word in words]
    error = run(evaluate.main, f"checkpoint={trained}", *ALONE, *words)["error"]
    for part in parts:
        assert part in error


def test_nothing_is_trained_on_a_dataset_of_test_classes(pictures, run):
    error = run(train.main, *TINY, f"dataset.root={pictures}", "+dataset.split=all")["error"]
    assert "dataset.split=all: leaves no class to train on" in error


# --- resumed


def copied(trained: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(trained, tmp_path / "copy")
    (folder / "results.json").unlink()
    return folder


def test_resume_goes_on_with_its_own_classes(trained, grown, tmp_path, capfd):
    folder = copied(trained, tmp_path)
    words = [f"resume={folder}", f"dataset.root={grown}", "max_meta_iterations=3"]
    assert train.main(words) == 0
    found = reported(folder)
    assert found["data_sha256"] == reported(trained)["data_sha256"]
    assert saved(folder)["classes"] == saved(trained)["classes"]
    assert (
        found["results"][0]["episodes_sha256"]
        == (reported(trained)["results"][0]["episodes_sha256"])
    )


def test_resume_refuses_other_data_unless_asked(trained, pictures, changed, tmp_path, capfd):
    folder = copied(trained, tmp_path)
    words = [f"resume={folder}", f"dataset.root={changed}", "max_meta_iterations=3"]
    assert train.main(words) == 2
    error = capfd.readouterr().err
    for part in (f"resume={folder}", f"dataset.root={pictures}", f"dataset.root={changed}"):
        assert part in error
    assert train.main([*words, "other_data=true"]) == 0


@pytest.mark.slow
def test_auto_refuses_other_data(pictures, changed, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "name=cut", "hydra.run.dir=outputs/runs/cut/1"]
    assert train.main([*words, f"dataset.root={pictures}"]) == 0
    (tmp_path / "outputs/runs/cut/1/results.json").unlink()
    capfd.readouterr()
    assert train.main([*words, f"dataset.root={changed}", "resume=auto"]) == 2
    error = capfd.readouterr().err
    assert f"dataset.root={pictures}" in error
    assert f"dataset.root={changed}" in error


@pytest.mark.slow
def test_resume_on_other_classes_tests_none_that_was_trained_on(trained, tmp_path, capfd):
    folder, trained_on = copied(trained, tmp_path), saved(trained)["classes"]["train"]
    words = [f"resume={folder}", "max_meta_iterations=3", "other_data=true"]
    mixed = draw(tmp_path / "mixed", [*trained_on, "x1", "x2"])
    assert train.main([*words, f"dataset.root={mixed}"]) == 2
    assert "which would no longer be new" in capfd.readouterr().err
    new = draw(tmp_path / "new", [f"new{i}" for i in range(12)])
    assert train.main([*words, f"dataset.root={new}"]) == 0
    assert set(trained_on) < set(saved(folder)["classes"]["train"])


# --- older checkpoints say nothing of their data


@pytest.mark.slow
def test_an_older_checkpoint_is_tested_and_resumed_as_ever(trained, changed, tmp_path, run):
    folder = copied(trained, tmp_path)
    for file in (folder / "checkpoints").glob("*.ckpt"):
        content = torch.load(file, weights_only=True)
        for name in ("data_sha256", "classes"):
            del content["fewstep"][name]
        del content["fewstep"]["config"]["other_data"]
        torch.save(content, file)
    again = run(evaluate.main, f"checkpoint={folder}", *ALONE)
    same_tasks(again, reported(trained))
    assert run(evaluate.main, f"checkpoint={folder}", f"dataset.root={changed}", *ALONE)
    assert train.main([f"resume={folder}", "max_meta_iterations=3"]) == 0
    assert saved(folder)["data_sha256"] == saved(trained)["data_sha256"]


def test_the_ids_of_a_chosen_split_are_those_of_then(pictures, grown):
    from fewstep.run.stored.origin import origin, own_data

    before, after = opened(pictures), opened(grown)
    own = own_data(after, origin(before) | {"config": {}})
    for name, split in before.items():
        assert own[name].name == name
        found = [episodes_sha256(s, SPEC, 3, 30) for s in (split, own[name])]
        assert found[0] == found[1]
        one, other = (s.episode(SPEC, 3, 5).support_x for s in (split, own[name]))
        assert one.equal(other)
