"""Whole runs through the commands: what they leave behind, and that it can be reproduced."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from fewstep.commands import evaluate, train
from fewstep.config.groups import conf_dir
from fewstep.disk import lock
from fewstep.records.identity import config_hash, recipe_hash
from fewstep.records.statistics.intervals import mean_ci95
from fewstep.run.construction import assembly
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import WholeCheckpoints
from tiers import slow_but


pytestmark = [pytest.mark.run, pytest.mark.usefixtures("undrawn")]


TINY = [
    "trainer=cpu",
    "dataset.classes=60",
    "model.channels=8",
    "meta_batch=2",
    "algorithm.inner.steps=2",
    "log_every=1",
    "eval.tasks=6",
    "eval.steps=3",
    "eval.curve_tasks=4",
    "execution=serial",
]
MEASURED = ["eval.val_every=2", "eval.val_tasks=4", "eval.test_every=2", "eval.test_tasks=3"]
BASELINES = ["baselines.random=true", "+algorithm@baselines.joint=joint"]
FIRST = [*TINY, *MEASURED, *BASELINES, "max_meta_iterations=4", "checkpoint_every=2"]

TOP = """schema name label command algorithm dataset dataset_split unit interval seed config_hash
recipe_hash versions git_commit config data_sha256 classes_sha256 device world_size precision
execution meta_iterations tasks_seen gradients_taken examples_seen hessian_products train_seconds
tasks_per_second peak_bytes results"""
ENTRY = """split init checkpoint ways shots queries protocol steps batch_size tasks eval_seed acc
acc_ci95 loss per_task_file episodes_sha256 curve"""
VARYING = ("train_seconds", "tasks_per_second", "peak_bytes", "git_commit")


@dataclass
class Run:
    """A run directory and what is in it."""

    folder: Path

    @property
    def results(self) -> dict:
        return json.loads((self.folder / "results.json").read_text())

    @property
    def trained(self) -> list[dict]:
        return [r for r in self.results["results"] if r["init"] == "trained"]

    @property
    def config(self) -> dict:
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    @property
    def rows(self) -> list[dict[str, str]]:
        with (self.folder / "metrics.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def checkpoint(self, name: str = "last") -> dict:
        return torch.load(self.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def run(main, where: Path, *words: str) -> Run:
    """Run a command in a folder of its own; the run directory it made."""
    where.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setattr(sys, "argv", sys.argv)
        patch.setattr(sys, "path", list(sys.path))
        assert main(words) == 0
    (folder,) = (where / "outputs" / "runs").glob("*/*")
    return Run(folder)


@pytest.fixture(scope="session")
def first(tmp_path_factory) -> Run:
    """One training of four meta-iterations with everything switched on; only to be read."""
    return run(train.main, tmp_path_factory.mktemp("first"), *FIRST)


def without(results: dict, *names: str) -> dict:
    return {name: value for name, value in results.items() if name not in names}


def numbers(entries: list[dict]) -> list[dict]:
    """Result entries without how their checkpoint was chosen, which only a training knows."""
    return [without(entry, "selected_by") for entry in entries]


# --- the run directory


def test_a_run_directory_holds_what_it_should(first):
    for name in ("config.yaml", "metrics.csv", "curves.png", "results.json"):
        assert (first.folder / name).stat().st_size > 0
    assert (first.folder / ".hydra" / "overrides.yaml").exists()
    assert sorted(p.name for p in (first.folder / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
    ]
    assert not list(first.folder.rglob("*.part"))
    assert first.config["meta_batch"] == 2  # resolved
    assert "${" not in (first.folder / "config.yaml").read_text()


def test_results_have_exactly_the_documented_fields(first):
    results = first.results
    assert list(results) == TOP.split()
    assert results["schema"] == 1
    assert results["name"] == "reptile_glyphs_5w1s"
    assert results["command"].startswith("fewstep train trainer=cpu dataset.classes=60 ")
    assert (results["algorithm"], results["dataset"]) == ("reptile", "glyphs")
    assert results["dataset_split"] is None
    assert (results["seed"], results["meta_iterations"], results["tasks_seen"]) == (0, 4, 8)
    assert (results["gradients_taken"], results["examples_seen"]) == (8 * 2, 8 * 2 * 10)
    assert sorted(results["versions"]) == ["fewstep", "torch"]
    assert results["world_size"] == 1
    assert results["precision"] == "32"
    assert results["train_seconds"] > 0
    assert results["tasks_per_second"] is None  # nothing is left of four but the warm-up
    assert len(results["config_hash"]) == 12


def test_result_entries_have_exactly_the_documented_fields(first):
    entries = first.results["results"]
    assert [(e["init"], e["checkpoint"], e["protocol"]) for e in entries] == [
        (init, checkpoint, protocol)
        for init, checkpoint in (("trained", "best"), ("random", None), ("joint", "best"))
        for protocol in ("inductive", "transductive")
    ]
    for entry in entries:
        chosen = ["selected_by"] if entry["checkpoint"] == "best" else []
        assert set(entry) == {*ENTRY.split(), *chosen}
        assert (entry["split"], entry["ways"], entry["shots"]) == ("test", 5, 1)
        assert (entry["queries"], entry["steps"], entry["batch_size"]) == (1, 3, 5)
        assert (entry["tasks"], entry["eval_seed"]) == (6, 0)
        for name in ("acc", "acc_ci95", "loss"):
            assert isinstance(entry[name], float)
        assert 0 <= entry["acc"] <= 1
        assert len(entry["episodes_sha256"]) == 64
        curve = entry["curve"]
        assert set(curve) == {"steps", "tasks", "acc", "acc_ci95"}
        assert curve["steps"] == [0, 1, 2, 3]
        assert curve["tasks"] == 4
        assert len(curve["acc"]) == len(curve["acc_ci95"]) == 4
    assert len({e["episodes_sha256"] for e in entries}) == 1  # all on the same tasks


def test_per_task_files_add_up_to_the_figures(first):
    for entry in first.results["results"]:
        with (first.folder / entry["per_task_file"]).open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["task"]) for row in rows] == list(range(6))
        acc = torch.tensor([float(row["acc"]) for row in rows])
        assert (entry["acc"], entry["acc_ci95"]) == pytest.approx(mean_ci95(acc))
        loss = sum(float(row["loss"]) for row in rows) / 6
        assert entry["loss"] == pytest.approx(loss)


def test_metrics_have_their_axes_and_a_row_a_meta_iteration(first):
    assert [row["meta_iteration"] for row in first.rows] == ["1", "2", "3", "4"]
    assert [row["tasks_seen"] for row in first.rows] == ["2", "4", "6", "8"]
    assert set(first.rows[0]) == {"meta_iteration", "tasks_seen"} | {
        *("train/loss", "train/acc", "val/loss", "val/acc", "val/acc_ci95"),
        *("test/loss", "test/acc", "test/acc_ci95"),
    }
    assert all(row["train/loss"] for row in first.rows)
    for name in ("val/acc", "test/acc"):
        assert [bool(row[name]) for row in first.rows] == [False, True, False, True]


def test_a_sweeper_goes_by_the_validation_of_what_is_reported(first):
    figures = [float(row["val/acc"]) for row in first.rows if row["val/acc"]]
    assert train.objective(first.results, first.folder) == max(figures)
    last = [without(entry, "selected_by") for entry in first.trained]
    assert train.objective({"results": last}, first.folder) == figures[-1]


def test_the_best_checkpoint_is_picked_on_validation_alone(first):
    measured = [row for row in first.rows if row["val/acc"]]
    best = max(measured, key=lambda row: float(row["val/acc"]))  # the first of equals
    for entry in first.trained:
        chosen = entry["selected_by"]
        assert (chosen["split"], chosen["shots"], chosen["steps"]) == ("val", 1, 3)
        assert chosen["protocol"] == "inductive"
        assert chosen["acc"] == float(best["val/acc"])
        assert chosen["meta_iteration"] == int(best["meta_iteration"])
    saved = first.checkpoint("best")["fewstep"]
    assert saved["meta_iteration"] == int(best["meta_iteration"])


def test_a_checkpoint_holds_its_configuration(first):
    saved = first.checkpoint()
    assert saved["fewstep"]["config"] == first.config
    assert saved["fewstep"]["meta_iteration"] == 4
    assert set(saved["fewstep"]["inner_state"]) == {"v", "t"}


# --- reproducing a run


@pytest.mark.slow
def test_the_same_seed_gives_the_same_results(first, tmp_path):
    again = run(train.main, tmp_path, *FIRST)
    assert without(again.results, *VARYING) == without(first.results, *VARYING)
    assert again.rows == first.rows


@pytest.mark.slow
def test_another_seed_changes_the_training_and_not_the_test(first, tmp_path):
    words = [*TINY, "eval.val_every=null", "max_meta_iterations=1", "seed=1"]
    other = run(train.main, tmp_path, *words)
    assert other.results["config_hash"] != first.results["config_hash"]
    hashes = {e["episodes_sha256"] for e in (*other.trained, *first.trained)}
    assert len(hashes) == 1

    configs = other.config, first.config
    drafts = [assembly.draft(config) for config in configs]
    weights = [made.learner.state_dict()["module.head.weight"] for made in drafts]
    assert not torch.equal(*weights)
    splits = [made.dataset.open() for made in drafts]
    assert (splits[0]["train"].classes == splits[1]["train"].classes).all()
    spec = drafts[0].recipe.spec
    tasks = [s["train"].identity(spec, c["seed"], 0) for s, c in zip(splits, configs, strict=True)]
    assert tasks[0] != tasks[1]


def test_a_name_or_an_execution_does_not_change_the_hash(first):
    kept = first.config
    same = {**kept, "name": "other", "execution": "threads", "resume": "somewhere"}
    assert config_hash(same) == config_hash(kept)
    other = {**kept, "meta_batch": 3}
    assert config_hash(other) != config_hash(kept)


def test_a_seed_changes_the_hash_of_the_run_and_not_of_its_recipe(first):
    kept = first.config
    assert first.results["recipe_hash"] == recipe_hash(kept) == recipe_hash({**kept, "seed": 9})
    assert config_hash({**kept, "seed": 9}) != config_hash(kept)
    assert recipe_hash({**kept, "meta_batch": 3}) != recipe_hash(kept)


# --- evaluating a checkpoint


@pytest.mark.slow
@pytest.mark.process
def test_evaluate_reproduces_the_results_as_a_module_in_a_shell(first, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fewstep",
            "evaluate",
            f"checkpoint={first.folder}",
            "trainer=cpu",
            "execution=serial",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / "runs").glob("evaluate/*")
    again = Run(folder)
    assert numbers(again.trained) == numbers(first.trained)
    assert again.results["checkpoint"] == str(first.folder / "checkpoints" / "best.ckpt")
    assert again.results["config_hash"] == first.results["config_hash"]
    assert again.results["meta_iterations"] == first.checkpoint("best")["fewstep"]["meta_iteration"]
    assert again.results["peak_bytes"] == first.checkpoint("best")["callbacks"]["Peak"]["bytes"] > 0
    assert (folder / "curves.png").exists()
    assert (folder / again.trained[0]["per_task_file"]).exists()
    assert "5-way 1-shot" in done.stdout
    assert str(folder) in done.stdout


@pytest.mark.slow
def test_evaluate_in_other_settings(first, tmp_path):
    checkpoint = f"checkpoint={first.folder / 'checkpoints' / 'last.ckpt'}"
    settings = "{shots: 1, steps: 3, batch_size: 5}, {shots: 5, steps: 2, batch_size: null}"
    machine = ["trainer=cpu", "execution=serial"]
    words = [
        checkpoint,
        *machine,
        f"eval.settings=[{settings}]",
        "eval.tasks=4",
        "eval.protocol=transductive",
    ]
    entries = run(evaluate.main, tmp_path / "settings", *words).trained
    assert [(e["shots"], e["steps"], e["tasks"], e["protocol"]) for e in entries] == [
        (1, 3, 4, "transductive"),
        (5, 2, 4, "transductive"),
    ]
    assert entries[0]["checkpoint"] == "last"

    words = [checkpoint, *machine, "eval.steps=0", "eval.split=val", "eval.seed=7"]
    words += ["eval.curve_tasks=6"]
    entries = run(evaluate.main, tmp_path / "steps", *words).trained
    assert [(e["split"], e["steps"], e["eval_seed"]) for e in entries] == [("val", 0, 7)] * 2
    assert entries[0]["curve"]["steps"] == [0]
    assert entries[0]["curve"]["acc"] == [entries[0]["acc"]]
    assert entries[0]["episodes_sha256"] != first.trained[0]["episodes_sha256"]


# --- resuming


@pytest.fixture(scope="session")
def straight(tmp_path_factory) -> Run:
    """Six meta-iterations without a stop."""
    words = [*TINY, *MEASURED, "max_meta_iterations=6", "algorithm.outer.final_lr=null"]
    return run(train.main, tmp_path_factory.mktemp("straight"), *words)


def same(one: Run, other: Run) -> None:
    """Two runs ended alike, bit for bit."""
    ours, theirs = one.checkpoint(), other.checkpoint()
    for name, tensor in ours["state_dict"].items():
        assert torch.equal(tensor, theirs["state_dict"][name]), name
    mine, yours = (c["fewstep"]["inner_state"] for c in (ours, theirs))
    assert torch.equal(mine["t"], yours["t"])
    for name, tensor in mine["v"].items():
        assert torch.equal(tensor, yours["v"][name]), name
    assert one.rows == other.rows
    assert one.trained == other.trained  # the best figures among them


def test_three_meta_iterations_and_three_more_are_six(straight, tmp_path):
    words = [*TINY, *MEASURED, "max_meta_iterations=3", "algorithm.outer.final_lr=null"]
    half = run(train.main, tmp_path, *words)
    assert half.checkpoint()["fewstep"]["meta_iteration"] == 3
    whole = run(train.main, tmp_path, f"resume={half.folder}", "max_meta_iterations=6")
    assert whole.folder == half.folder
    same(whole, straight)


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_where_its_schedule_was(first, tmp_path, monkeypatch):
    publish = MetaLearner.publish

    def cut_off(learner: MetaLearner, metrics: dict) -> None:
        publish(learner, metrics)
        if learner.meta_iteration == 3:
            raise RuntimeError("the machine went away")

    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, "publish", cut_off)
        with pytest.raises(RuntimeError, match="went away"):
            run(train.main, tmp_path, *FIRST)
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    assert Run(folder).checkpoint()["fewstep"]["meta_iteration"] == 2
    assert [row["meta_iteration"] for row in Run(folder).rows] == ["1", "2", "3"]
    same(run(train.main, tmp_path, f"resume={folder}"), first)


@pytest.mark.slow
def test_resume_auto_goes_on_with_the_run_that_was_cut_off(first, tmp_path, monkeypatch, capfd):
    """The same command twice; a third time it has nothing to go on with."""
    save = WholeCheckpoints.save_checkpoint

    def cut_off(*words, **more) -> None:
        save(*words, **more)
        if more["storage_options"] is None:  # else it is kept in memory alone
            raise RuntimeError("the machine went away")

    words = [*FIRST, "resume=auto"]
    with monkeypatch.context() as patch:
        patch.setattr(WholeCheckpoints, "save_checkpoint", cut_off)
        with pytest.raises(RuntimeError, match="went away"):
            run(train.main, tmp_path, *words)
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    assert "no run of this configuration" in capfd.readouterr().out
    with lock.held(folder):
        monkeypatch.chdir(tmp_path)
        assert train.main(words) == 2
    assert f"{folder.name}: another process is at work in it" in capfd.readouterr().err
    whole = run(train.main, tmp_path, *words)
    assert whole.folder == folder
    assert "going on with outputs/runs/reptile_glyphs_5w1s/" in capfd.readouterr().out
    same(whole, first)


@pytest.mark.parametrize("inside", slow_but(True, of=[True, False]))
def test_ctrl_c_keeps_what_there_is_and_says_how_to_go_on(
    inside, first, tmp_path, monkeypatch, capfd
):
    """Between two meta-iterations the last one is saved; inside one, the last checkpoint stays."""
    name = "directions" if inside else "_log_training"
    original = getattr(MetaLearner, name)

    def interrupted(learner: MetaLearner, *arguments):
        if learner.meta_iteration == 3:
            raise KeyboardInterrupt
        return original(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, name, interrupted)
        with pytest.raises(SystemExit) as stop:
            run(train.main, tmp_path, *FIRST)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning ignores further ones
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    assert stop.value.code == 1
    message = capfd.readouterr().err
    assert f"fewstep: stopped. Continue with: fewstep train resume={folder}" in message
    assert "Traceback" not in message
    saved = Run(folder).checkpoint()["fewstep"]["meta_iteration"]
    assert saved == (3 if inside else 2)
    same(run(train.main, tmp_path, f"resume={folder}"), first)


@pytest.mark.slow
def test_a_longer_schedule_is_taken_up_where_the_run_stopped(tmp_path):
    """eps falls to 0 at 2 of 2; resumed with 4, the third step is taken with 1 - 2/4."""
    words = [*TINY, "eval.val_every=null", "eval.curve_tasks=2", "max_meta_iterations=2"]
    half = run(train.main, tmp_path, *words)
    rates, step = [], MetaLearner.training_step

    def watched(learner: MetaLearner, *arguments) -> None:
        rates.append(learner.trainer.optimizers[0].param_groups[0]["lr"])
        step(learner, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetaLearner, "training_step", watched)
        run(train.main, tmp_path, f"resume={half.folder}", "max_meta_iterations=4")
    assert rates == [0.5, 0.25]


@pytest.mark.slow
def test_double_precision_is_double_throughout(tmp_path):
    words = [*TINY, "trainer.precision=64", "eval.val_every=null", "max_meta_iterations=2"]
    done = run(train.main, tmp_path, *words)
    assert done.results["precision"] == "64"
    saved = done.checkpoint()
    assert {t.dtype for t in saved["state_dict"].values()} == {torch.float64}
    assert {v.dtype for v in saved["fewstep"]["inner_state"]["v"].values()} == {torch.float64}
    again = run(evaluate.main, tmp_path / "again", f"checkpoint={done.folder}", "execution=serial")
    assert numbers(again.trained) == numbers(done.trained)


# --- what can be swapped


OF_ITS_OWN = {"cavia", "focusft", "harmony", "protonet"}
"""Algorithms that need a network of their own, or have no inner loop (test_family_runs)."""


@pytest.mark.parametrize(
    "algorithm",
    slow_but(
        "reptile",
        "fomaml",
        "imaml",
        of=sorted({f.stem for f in (conf_dir() / "algorithm").iterdir()} - OF_ITS_OWN),
    ),
)
def test_every_algorithm_trains(algorithm, tmp_path):
    words = [*TINY, f"algorithm={algorithm}", "max_meta_iterations=2", "eval.val_every=null"]
    words += ["execution=auto"] if algorithm == "reptile" else []
    words += ["eval.steps=2"] if algorithm == "mamlpp" else []  # it has rates for no more
    done = run(train.main, tmp_path, *words)
    assert done.results["algorithm"] == algorithm
    assert done.results["meta_iterations"] == 2
    assert [e["checkpoint"] for e in done.trained] == ["last", "last"]
    start = assembly.draft(done.config).learner
    moved = done.checkpoint()["state_dict"]
    for name, tensor in start.state_dict().items():
        assert torch.isfinite(moved[name]).all()
        made = done.config["algorithm"]["inner"].get("head", "trained")  # else by each task
        if name.endswith("head.weight") and made == "trained":
            assert not torch.equal(tensor, moved[name])


@pytest.fixture(scope="module")
def regression(tmp_path_factory) -> Run:
    words = [
        "experiment=sine",
        "trainer=cpu",
        "execution=serial",
        "max_meta_iterations=2",
        "log_every=1",
    ]
    words += ["eval.tasks=4", "eval.curve_tasks=4", "eval.steps=2"]
    return run(train.main, tmp_path_factory.mktemp("regression"), *words)


@pytest.mark.slow
def test_a_regression_reports_its_loss(regression):
    for entry in regression.results["results"]:
        assert "acc" not in entry
        assert entry["loss"] > 0
        assert entry["loss_ci95"] > 0
        assert len(entry["curve"]["loss"]) == len(entry["curve"]["loss_ci95"]) == 3
    for picture in ("curves.png", "waves.png"):
        assert (regression.folder / picture).stat().st_size > 0
