"""An initialization that comes with the package is tested by its name, as a checkpoint is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import fewstep
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.commands import evaluate, train
from fewstep.core.net import Net
from fewstep.core.types import EpisodeSpec
from fewstep.data import Glyphs
from fewstep.run.stored import shipped


pytestmark = pytest.mark.usefixtures("undrawn")

FEW = ["trainer=cpu", "execution=serial", "eval.tasks=3", "eval.curve_tasks=0", "eval.steps=3"]


def evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    """The run directory of an evaluation."""
    monkeypatch.chdir(folder)
    assert evaluate.main([*FEW, *words]) == 0
    (made,) = folder.glob("outputs/runs/evaluate/*")
    return made


def test_figures_are_those_of_the_initialization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task by task what `fewstep.load` and the meta-test say, with the inner Adam's own memory."""
    folder = evaluated(tmp_path, monkeypatch, "checkpoint=glyphs", "eval.protocol=inductive")
    content = json.loads((folder / "results.json").read_text())
    assert content["checkpoint"] == content["results"][0]["checkpoint"] == "glyphs"
    assert content["meta_iterations"] == shipped.about("glyphs")["meta_iterations"]
    learner, split = fewstep.load("glyphs").learner, Glyphs().open()["test"]
    for result, shots in zip(content["results"], (1, 5), strict=True):
        spec = EpisodeSpec(5, shots, 1, 3, 5)
        setting = Setting(spec, ("inductive",), (3,))
        module, start = learner.network_for(5)
        wanted = [
            evaluate_task(
                Net(module),
                start,
                split.episode(spec, 0, index),
                inner=learner.inner,
                objective=learner.objective,
                setting=setting,
            )["inductive"]["loss"][0].item()
            for index in range(3)
        ]
        with (folder / result["per_task_file"]).open(newline="") as file:
            assert [float(r["loss"]) for r in csv.DictReader(file)] == pytest.approx(
                wanted, rel=1e-4
            )


@pytest.mark.parametrize("name", shipped.names())
def test_it_has_every_key_of_a_training_and_its_own_values(name: str) -> None:
    made = shipped.training(name)["fewstep"]
    own = shipped.about(name)["config"]
    for part in ("algorithm", "model", "dataset", "shots"):
        assert (
            made["config"][part].items()
            >= {
                key: value for key, value in own[part].items() if not isinstance(value, dict)
            }.items()
        )
    assert made["config"]["algorithm"]["inner"].items() >= own["algorithm"]["inner"].items()
    assert made["config"]["eval"]["tasks"] > 0
    assert len(made["trained_before"]) == {"glyphs": 700, "omniglot": 4800}[name]


def test_it_is_not_tested_on_what_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate.main([*FEW, "checkpoint=glyphs", "dataset.split=all"]) == 2
    message = capsys.readouterr().err
    assert "glyphs.safetensors: was trained on 700 of the 1000 test classes" in message
    assert "Leave them out with eval.trained_classes=leave_out" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("main", "word", "message"),
    [
        (train.main, "resume=glyphs", "resume=glyphs: no such file. Name a .ckpt file or a run"),
        (
            evaluate.main,
            "checkpoint=omniglott",
            "Name a .ckpt file or a run directory, or glyphs or omniglot",
        ),
    ],
    ids=["nothing to resume", "another name"],
)
def test_what_is_none_of_them_is_refused(
    main: Callable[[list[str]], int],
    word: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([word]) == 2
    assert message in capsys.readouterr().err
