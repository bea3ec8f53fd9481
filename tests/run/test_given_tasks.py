"""A training whose test is on the tasks of a file: they are used, or refused before it begins."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import fewstep
from fewstep.commands import episodes, evaluate, following, train
from fewstep.commands.merging import merged
from fewstep.config.compose import compose_config, plain
from fewstep.config.evaluation import answered
from fewstep.data.manifests import manifest
from fewstep.disk.plain import plain_yaml
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash
from fewstep.run import handover
from fewstep.run.checks.cautions import of_paper
from fewstep.run.construction import assembly
from fewstep.run.stored import task_list


LISTED = ["dataset.classes=60", "trainer=cpu", "execution=serial", "model.channels=4"]
LISTED += ["max_meta_iterations=1", "meta_batch=1", "eval.curve_tasks=0"]
LISTED += ["eval.val_every=null", "eval.steps=1", "baselines.random=false"]
TINY = [*LISTED, "eval.tasks=4"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tasks(here: Path) -> manifest.Manifest:
    assert episodes.main([*TINY, "eval.seed=7", "eval.tasks=3", "to=tasks.npz"]) == 0
    return manifest.read(here / "tasks.npz")


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_training_is_tested_on_the_tasks_of_its_file_and_so_is_one_that_goes_on(
    tasks: manifest.Manifest, here: Path
) -> None:
    assert train.main([*LISTED, "eval.manifest=tasks.npz", "name=given"]) == 0
    (file,) = here.glob("outputs/runs/given/*/results.json")
    (entry, *_) = json.loads(file.read_text())["results"]
    assert (entry["episodes_sha256"], entry["tasks"]) == (tasks.sha256, 3)
    for word, kept in {
        "name=again": "tasks.npz",
        "eval.tasks=5": None,
        "eval.split=val": None,
        "dataset=glyphs": None,
        "eval.manifest=other.npz": "other.npz",
    }.items():
        asked = plain(compose_config("evaluate", [f"checkpoint={file.parent}", word]))
        assert merged(asked)[0]["eval"]["manifest"] == kept
    words = [*LISTED, "eval.manifest=tasks.npz", f"resume={file.parent}", "max_meta_iterations=2"]
    config = plain(compose_config("train", words))
    config |= following.of_training(config)
    train.settle(config)
    experiment = handover.kept(config)
    assert experiment is not None
    assert (experiment.test.seed, experiment.test.tasks) == (7, 3)
    assert experiment.splits["test"].listed


REFUSED = {
    "eval.manifest=none.npz": "fewstep: eval.manifest=none.npz: cannot be read (No such file or "
    "directory). Write one with fewstep episodes",
    "dataset.classes=70": "fewstep: eval.manifest=tasks.npz: its tasks are of other data than the "
    "test split's: of glyphs (sha256 ",
}


@pytest.mark.parametrize("word", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_written(
    word: str, tasks: manifest.Manifest, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*LISTED, "eval.manifest=tasks.npz", word]) == 2
    assert told(capsys).startswith(REFUSED[word])
    assert [path.name for path in here.iterdir()] == ["tasks.npz"]
    with pytest.raises(ConfigError, match=r"^eval\.manifest="):
        fewstep.train([*LISTED, "eval.manifest=tasks.npz", word])


def test_tasks_that_validation_cannot_have_are_refused(
    tasks: manifest.Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of ways that the network takes, and the validation split has not."""
    words = [*TINY, "algorithm=proto_fomaml", "model.channels=8", "+model.norm=group"]
    words += ["eval.settings=[{ways: 9, shots: 1, steps: 1, batch_size: null}]"]
    assert episodes.main([*words, "to=nine.npz"]) == 0
    capsys.readouterr()
    words = [word for word in words if "val_every" not in word and "eval.tasks" not in word]
    assert train.main([*words, "eval.manifest=nine.npz", "eval.val_every=1"]) == 2
    assert "the val split of glyphs has 6 classes" in told(capsys)


def test_a_fixed_list_tests_what_was_trained_for_any_ways(here: Path) -> None:
    """Where the network takes any ways, also a run whose own test draws them."""
    assert episodes.main([*TINY, "shots=5w5s", "to=fixed.npz"]) == 0
    words = [*TINY, "algorithm=proto_fomaml", "model.channels=8", "+model.norm=group"]
    words += ["shots.ways=6", "shots.shots=3", "shots.varies=both"]
    folder = fewstep.train(words).folder
    told = ["name=fixed", "eval.manifest=fixed.npz", "execution=serial"]
    assert evaluate.main([f"checkpoint={folder}", *told]) == 0
    (file,) = here.glob("outputs/runs/fixed/*/results.json")
    (entry, *_) = json.loads(file.read_text())["results"]
    assert (entry["ways"], entry["shots"], entry.get("varies", False)) == (5, 5, False)


def test_tasks_of_the_other_split_say_how_they_are_tested(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert episodes.main([*TINY, "split=val", "to=val.npz"]) == 0
    folder = fewstep.train(TINY).folder
    capsys.readouterr()
    words = [f"checkpoint={folder}", "eval.manifest=val.npz", "execution=serial"]
    assert evaluate.main(words) == 2
    assert told(capsys).endswith("Its tasks are of the val split: eval.split=val")
    assert evaluate.main([*words, "eval.split=val"]) == 0


SAID = {"eval.tasks": 3, "eval.seed": 7, "eval.queries": 1}


@pytest.mark.parametrize("key", SAID)
def test_what_the_list_says_itself_is_refused_beside_it(
    key: str, tasks: manifest.Manifest, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, both = [*LISTED, "eval.manifest=tasks.npz"], f"{key}={SAID[key]}"
    text = f"eval.manifest=tasks.npz, {both}: the file is a list of tasks of its own. Leave one of "
    text += "them out, or have tasks drawn with eval.manifest=null"
    assert train.main([*words, both]) == 2
    assert told(capsys) == f"fewstep: {text}"
    assert train.main(["-m", *words, both, "seed=1,2"]) == 2
    assert told(capsys).endswith(text)
    assert [path.name for path in here.iterdir()] == ["tasks.npz"]


def test_a_list_that_a_run_goes_on_with_wins_over_what_it_began_with() -> None:
    assert answered(["eval.manifest=tasks.npz", "seed=1"]) == {*SAID}
    assert not answered(["eval.manifest=null", "eval.tasks=3"])


def test_a_run_is_known_by_the_tasks_of_its_list(tasks: manifest.Manifest, here: Path) -> None:
    def hash_of(*words: str) -> str:
        config = plain(compose_config("train", [*LISTED, *words]))
        return config_hash({**config, **following.of_training(config)})

    drawn, listed = hash_of(), hash_of("eval.manifest=tasks.npz")
    (here / "elsewhere").mkdir()
    (here / "tasks.npz").rename(here / "elsewhere" / "same.npz")
    assert hash_of("eval.manifest=elsewhere/same.npz") == listed != drawn
    assert episodes.main([*TINY, "eval.seed=8", "eval.tasks=3", "to=tasks.npz"]) == 0
    assert hash_of("eval.manifest=tasks.npz") != listed
    older = plain(compose_config("train", LISTED))
    del older["manifest_sha256"]
    assert config_hash(older) == drawn


def test_a_list_that_was_changed_is_not_taken_for_what_it_was(
    tasks: manifest.Manifest, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fewstep.train([*LISTED, "eval.manifest=tasks.npz"]).folder
    digest = plain_yaml(folder / "config.yaml")["manifest_sha256"]
    assert digest == task_list.opened("tasks.npz").about["content_sha256"]
    assert episodes.main([*TINY, "eval.seed=8", "eval.tasks=3", "to=tasks.npz"]) == 0
    tested = [f"checkpoint={folder}", "execution=serial", "name=again"]
    assert evaluate.main(tested) == 2
    found = task_list.opened("tasks.npz").about["content_sha256"]
    assert told(capsys) == (
        f"fewstep: eval.manifest=tasks.npz: holds other tasks (sha256 {found[:8]}) than this run "
        f"is to be tested on (manifest_sha256={digest[:8]}...). Give those, or leave "
        "manifest_sha256 out"
    )
    assert evaluate.main([*tested, "eval.manifest=tasks.npz", f"manifest_sha256={digest}"]) == 2
    assert not (here / "outputs" / "runs" / "again").exists()
    assert evaluate.main([*tested, "eval.manifest=tasks.npz"]) == 0
    (file,) = here.glob("outputs/runs/again/*/results.json")
    assert json.loads(file.read_text())["config"]["manifest_sha256"] == found
    capsys.readouterr()
    assert train.main([*LISTED, f"manifest_sha256={digest}"]) == 2
    assert told(capsys) == (
        f"fewstep: manifest_sha256={digest}: tells a list of tasks, and eval.manifest=None names "
        "none. Give both, or leave manifest_sha256 out"
    )


def test_an_evaluation_is_known_by_its_checkpoint_and_not_by_its_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`outputs/runs/NAME` is another file once there is a newer run."""

    def known(*words: str) -> str:
        config = plain(compose_config("evaluate", ["checkpoint=outputs/runs/base", *words]))
        return config_hash({**config, **following.of_evaluation(config)})

    first = fewstep.train([*TINY, "name=base"]).folder
    old = known()
    assert known(f"checkpoint={first}") == old
    fewstep.train([*TINY, "name=base", "seed=1"])
    assert known() != old == known(f"checkpoint={first}")
    capsys.readouterr()
    assert evaluate.main(["checkpoint=outputs/runs/base", "checkpoint_sha256=abc"]) == 2
    assert "is another file (sha256 " in told(capsys)
    older = plain(compose_config("evaluate", ["checkpoint=x"]))
    del older["checkpoint_sha256"], older["manifest_sha256"]
    assert config_hash(older) == config_hash(plain(compose_config("evaluate", ["checkpoint=x"])))


def test_drawings_on_the_other_paper_are_said_to_be(here: Path) -> None:
    dark = assembly.draft(plain(compose_config("train", LISTED)))
    knew = SimpleNamespace(preparation=SimpleNamespace(paper="light"))
    assert list(of_paper(dark, knew, "omniglot")) == [
        "dataset=glyphs: its drawings are on dark paper, and the network was trained on light "
        "(omniglot). They are tested as they are, and most likely told worse for it; fewstep adapt "
        "turns them over"
    ]
    assert not list(of_paper(dark, dark.dataset, "glyphs"))
    assert not list(of_paper(dark, object(), "waves"))
