"""A search goes where the figure of its trainings is better."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fewstep.commands import train
from fewstep.config.arguments import read
from fewstep.config.compose import compose_config, compose_hydra, plain
from fewstep.messages.errors import ConfigError
from fewstep.records.job_record import read_record
from fewstep.run.checks.search import direction


VALIDATED = ["eval.val_every=2", "max_meta_iterations=2"]
SEARCH = ["-m", "algorithm.inner.lr=interval(0.001,0.1)", *VALIDATED]


def chosen(*words: str) -> str:
    """What is added to a search's command line."""
    arguments = read("train", [*SEARCH, *words])
    fixed = [word for word in arguments.overrides if "interval" not in word]
    sweeper = compose_hydra("train", fixed).hydra.sweeper
    return direction([plain(compose_config("train", fixed))], sweeper.direction)


@pytest.mark.parametrize("sweeper", ["optuna_val", "optuna"])
@pytest.mark.parametrize(
    ("data", "right"),
    [("glyphs", "maximize"), ("omniglot", "maximize"), ("sine", "minimize")],
)
def test_the_direction_follows_the_figure(sweeper, data, right):
    words = [f"hydra/sweeper={sweeper}", f"dataset={data}"]
    assert chosen(*words) == f"hydra.sweeper.direction={right}"
    assert chosen(*words, f"hydra.sweeper.direction={right}") == f"hydra.sweeper.direction={right}"


@pytest.mark.parametrize(
    ("data", "wrong", "figure", "right"),
    [
        ("sine", "maximize", "loss, of which less", "minimize"),
        ("glyphs", "minimize", "acc, of which more", "maximize"),
        ("glyphs", "[maximize,minimize]", "acc, of which more", "maximize"),
        ("sine", "upwards", "loss, of which less", "minimize"),
    ],
)
def test_another_direction_is_refused_with_the_fix(
    tmp_path, monkeypatch, capfd, data, wrong, figure, right
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fewstep"])
    words = ["hydra/sweeper=optuna_val", f"dataset={data}", f"hydra.sweeper.direction={wrong}"]
    assert train.main([*SEARCH, *words]) == 2
    said = capfd.readouterr().err
    assert said.startswith(f"fewstep: hydra.sweeper.direction={wrong}: ")
    assert f"{figure} is better; its worst training would be named best" in said
    assert said.endswith(f"use hydra.sweeper.direction={right}\n")
    assert not any(tmp_path.iterdir())


def test_a_file_of_the_users_own_is_held_to_it_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "conf" / "hydra" / "sweeper"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("defaults:\n  - optuna\ndirection: maximize\n")
    assert chosen("hydra/sweeper=mine", "dataset=glyphs").endswith("maximize")
    with pytest.raises(ConfigError, match=r"use hydra.sweeper.direction=minimize"):
        chosen("hydra/sweeper=mine", "dataset=sine")


def test_one_search_has_one_figure():
    configs = [
        plain(compose_config("train", [*VALIDATED, f"dataset={d}"])) for d in ("glyphs", "sine")
    ]
    with pytest.raises(ConfigError, match="dataset=glyphs of acc and dataset=sine of loss"):
        direction(configs, None)


OWN = """
from dataclasses import dataclass, field
from fewstep.data.glyphs import Glyphs

class Ranks:
    def inner_loss(self, outputs, targets):
        return outputs.mean(1)
    outer_loss = inner_loss
    def metrics(self, outputs, targets):
        return {NAMES}

@dataclass
class Mine(Glyphs):
    objective: Ranks = field(default_factory=Ranks, init=False)
"""


@pytest.mark.parametrize(
    ("names", "right"),
    [('{"loss": outputs.mean()}', "minimize"), ('{"loss": outputs.mean(), "acc": 0}', "maximize")],
)
def test_a_task_of_the_users_own_is_asked_what_it_measures(tmp_path, monkeypatch, names, right):
    module = f"mine_{right}"
    (tmp_path / f"{module}.py").write_text(OWN.replace("{NAMES}", names))
    monkeypatch.syspath_prepend(tmp_path)
    words = [*VALIDATED, "dataset.classes=60", f"dataset._target_={module}.Mine", "trainer=cpu"]
    found = direction([plain(compose_config("train", words))], None)
    assert found == f"hydra.sweeper.direction={right}"


@pytest.mark.slow
def test_optuna_names_the_smallest_loss_best(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fewstep"])
    words = [*SEARCH, "dataset=sine", "hydra/sweeper=optuna_val", "hydra.sweeper.n_trials=3"]
    words += ["name=search", "trainer=cpu", "eval.val_tasks=4", "eval.tasks=4", "eval.steps=2"]
    assert train.main([*words, "eval.curve_tasks=2", "meta_batch=1"]) == 0
    swept = tmp_path / "outputs" / "sweeps" / "search"
    values = [read_record(swept / str(n))["objective"] for n in range(3)]
    best = yaml.safe_load((swept / "optimization_results.yaml").read_text())
    assert len(set(values)) > 1
    assert best["best_value"] == min(values)
