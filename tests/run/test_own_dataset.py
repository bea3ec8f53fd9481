"""A dataset of one's own, by its dotted path: what it needs, and all that it lacks in one line."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from fewstep.commands import train
from fewstep.core.objectives import Classification
from fewstep.data import FunctionTasks, TensorClasses
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.dataset_contract import WAY_OUT, check_test, open_splits
from fewstep.run.construction import parts


Y = np.arange(60) % 12
X = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32) + Y[:, None]


class Empty:
    pass


class Opens:
    """A dataset whose `open` gives what it is told."""

    objective = Classification()

    def __init__(self, given: str = "") -> None:
        self.given = given

    def open(self):
        if self.given == "fails":
            return {}["train"]
        whole = TensorClasses(X, Y).open()
        return {
            "list": [whole["train"]],
            "names": {"training": whole["train"], "test": whole["test"]},
            "array": {"train": X, "test": X},
            "no test": {"train": whole["train"]},
        }.get(self.given, whole)


def rows(classes: int = 12) -> TensorClasses:
    return TensorClasses(X[classes > Y], Y[classes > Y])


def lines(rng, spec):
    x, n = rng.normal(size=spec.ways * (spec.shots + spec.queries)), spec.ways * spec.shots
    return x[:n], 2 * x[:n], x[n:], 2 * x[n:]


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's."""
    module = types.ModuleType("my_data")
    vars(module).update(
        Empty=Empty,
        Opens=Opens,
        grey=lambda channels, size: TensorClasses(np.zeros((480, size, size)), np.arange(480) % 48),
        rows=rows,
        tasks=lambda: FunctionTasks(lines),
        pair=lambda: (X, Y),
        nothing=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "my_data", module)


NOT_DATASETS = {
    "Empty": "is no dataset: Empty has no open(), which gives its splits by name and no "
    "objective, the losses and metrics that it is learned by. ",
    "pair": "is no dataset: tuple has no open(),",
    "nothing": "is no dataset: NoneType has no open(),",
}


@pytest.mark.parametrize("name", NOT_DATASETS)
def test_what_is_no_dataset_is_told_all_that_it_lacks(name: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parts.build_dataset({"_target_": f"my_data.{name}", "name": "mine"})
    message = str(refusal.value)
    assert message.startswith(f"dataset._target_=my_data.{name}: {NOT_DATASETS[name]}")
    assert message.endswith(WAY_OUT)


OPENED = {
    "list": "mine: its open() gives a list: must be a dictionary of splits by the names train, "
    "val, test. ",
    "names": "mine: its open() gives splits by the names training, test: must be a dictionary",
    "array": "mine: its train split is none: ndarray has no to(device, dtype) and no "
    "episode(spec, seed, index) and no identity(spec, seed, index) and no check(spec). ",
    "fails": "mine: its open() fails (KeyError: 'train', ",
}


@pytest.mark.parametrize("given", OPENED)
def test_what_opens_into_no_splits_is_told_all_that_they_lack(given: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        open_splits(Opens(given), "mine")
    assert str(refusal.value).startswith(OPENED[given])


def test_a_training_needs_a_test_split() -> None:
    with pytest.raises(ConfigError, match=r"mine: has no test split, on which .* opens into train"):
        check_test(open_splits(Opens("no test"), "mine"), "mine")
    check_test(open_splits(Opens(), "mine"), "mine")


SMALL = ["trainer=cpu", "execution=serial", "max_meta_iterations=2", "meta_batch=2", "eval.tasks=3"]
SMALL += ["eval.steps=2", "eval.curve_tasks=0", "eval.val_every=null"]


def _refused(words: list[str], capsys) -> str:
    assert train.main([*SMALL, *words]) == 2
    return capsys.readouterr().err


def test_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "conf" / "dataset"
    own.mkdir(parents=True)
    for name, more in (("Opens", "given: no test"), ("rows", "classes: 2"), ("Empty", "")):
        (own / f"{name}.yaml").write_text(f"_target_: my_data.{name}\nname: mine\n{more}\n")
    grey = "_target_: my_data.grey\nname: grey\nchannels: 1\nsize: 28\n"
    (own / "grey.yaml").write_text(grey)
    assert "inputs of 28x28 and" in (said := _refused(["dataset=grey"], capsys))
    assert said.endswith("for their channels: x[:, None] has inputs of 1x28x28\n")
    model = ["model=sine_mlp"]
    said = _refused(["dataset=Opens", *model], capsys)
    assert said.startswith("fewstep: dataset._target_=my_data.Opens: has no test split")
    said = _refused(["dataset=rows", *model], capsys)
    assert said.startswith("fewstep: dataset: y: has 2 classes, and each of 3 splits needs one")
    assert _refused(["dataset=Empty", *model], capsys).startswith(
        "fewstep: dataset._target_=my_data.Empty: is no dataset"
    )
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(("target", "objective"), [("rows", "Classif"), ("tasks", "Regr")])
def test_a_function_may_make_it(target: str, objective: str) -> None:
    made = parts.build_dataset({"_target_": f"my_data.{target}", "name": "mine", "size": 3})
    assert type(made.objective).__name__.startswith(objective)
    assert {*open_splits(made, "mine")} == {"train", "val", "test"}
