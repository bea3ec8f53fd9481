"""Sweeps: which job gets which folder, what is run again, and what becomes of failures."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
import yaml
from hydra import compose
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from fewstep.commands import train
from fewstep.config.arguments import combinations, read
from fewstep.config.compose import compose_config, compose_hydra
from fewstep.config.groups import initialized, options
from fewstep.disk import lock
from fewstep.launch import resume, through_hydra
from fewstep.launch import supervisor as sweeps
from fewstep.launch.job_folders import Folders, Job, summary
from fewstep.launch.search import go_on
from fewstep.launch.settling import check_folder_keys, settled_sweep
from fewstep.launch.submitted import outlived
from fewstep.messages.errors import ConfigError
from fewstep.records import states
from fewstep.records.identity import config_hash, config_of, hashed
from fewstep.records.job_record import CUT_SHORT, read_record, write_record
from fewstep.records.outcome import damage, finished
from fewstep.run.construction.libraries import check_trainer
from made_files import FINISHED


TINY = [
    "trainer=cpu",
    "dataset.classes=60",
    "model.channels=4",
    "meta_batch=2",
    "checkpoint_every=1",
    "eval.tasks=4",
    "eval.steps=2",
    "eval.curve_tasks=2",
]

UNLUCKY_YAML = """\
defaults:
  - reptile
name: unlucky
_target_: unlucky.Unlucky
fate: live
"""
UNLUCKY_PY = '''\
"""Reptile that comes to grief in its sixth task, unless a file says that the cause is mended."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from fewstep.algorithms.reptile import Reptile

TASKS = []


@dataclass(frozen=True)
class Unlucky(Reptile):
    fate: str = "live"

    def direction(self, problem, start, episode):
        TASKS.append(1)
        if len(TASKS) == 6 and not Path("mended").exists():
            if self.fate == "raise":
                raise RuntimeError("fails by design")
            if self.fate == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        return super().direction(problem, start, episode)
'''


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with an algorithm whose fate can be chosen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "conf" / "algorithm").mkdir(parents=True)
    (tmp_path / "conf" / "algorithm" / "unlucky.yaml").write_text(UNLUCKY_YAML)
    (tmp_path / "unlucky.py").write_text(UNLUCKY_PY)
    return tmp_path


def config(**changed: object) -> dict:
    parts = {"algorithm": {}, "dataset": {"name": "glyphs"}, "trainer": {"precision": "32"}}
    return {**parts, **changed}


# --- folders


def test_a_job_keeps_its_folder_and_a_new_one_gets_a_free_number(tmp_path: Path) -> None:
    first = Folders(tmp_path, lambda _: {})
    assert [first.claim(config(seed=s), n).name for n, s in enumerate((1, 2))] == ["0", "1"]
    (tmp_path / "4").mkdir()  # a job that left nothing
    again = Folders(tmp_path, lambda _: {})
    names = [again.claim(config(seed=s), n).name for n, s in enumerate((2, 3, 1, 4))]
    assert names == ["1", "5", "0", "3"]
    kept = [yaml.safe_load((tmp_path / n / "config.yaml").read_text())["seed"] for n in names]
    assert kept == [2, 3, 1, 4]


def test_jobs_that_compute_the_same_have_folders_of_their_own(tmp_path: Path) -> None:
    same = [config(execution=e) for e in ("serial", "threads")]
    assert config_hash(same[0]) == config_hash(same[1])
    for _ in range(2):
        folders = Folders(tmp_path, lambda _: {})
        assert [folders.claim(c, n).name for n, c in enumerate(same)] == ["0", "1"]


# --- launching


class Recorder:
    """A launcher that finishes its jobs as their fates say, and notes what it was given."""

    def __init__(self, gives_up: bool = False) -> None:
        self.given: list[Sequence[str]] = []
        self.gives_up = gives_up

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list:
        self.given = list(job_overrides)
        for words in job_overrides:
            values = dict(word.partition("=")[::2] for word in words)
            folder = Path(values["hydra.sweep.dir"].strip("'"), values["hydra.sweep.subdir"][1:-1])
            if values["seed"] == "2":
                write_record(folder, "failed", "OSError: no space left on device")
            elif values["seed"] != "3":
                (folder / "results.json").write_text(FINISHED)
                write_record(folder, "finished", objective=int(values["seed"]) / 10)
        if self.gives_up:
            raise RuntimeError("a process was killed\nexit code -9")
        return [JobReturn(w, status=JobStatus.COMPLETED, _return_value=None) for w in job_overrides]


def supervised(recorder: Recorder, where: Path, seeds: Sequence[int]) -> tuple[list, list[Job]]:
    """Launch a job for each seed; what a sweeper gets back and the jobs."""
    (where / "swept").mkdir(exist_ok=True)
    with initialized():
        master = compose(
            "train",
            [f"hydra.sweep.dir={where / 'swept'}"],
            return_hydra_config=True,
        )

    class Loader:
        def load_sweep_config(self, _: object, words: list[str]):
            with initialized():
                return compose("train", words, return_hydra_config=True)

    class Context:
        config_loader = Loader()

    launcher = sweeps.Supervised()
    with sweeps.running(where / "swept", lambda _: {}) as launcher.sweep:
        launcher.inner, launcher.config, launcher.context = recorder, master, Context()
        launcher.folders = Folders(where / "swept", lambda _: {})
        returned = launcher.launch([[f"seed={s}"] for s in seeds], 0)
        return [r.return_value for r in returned], launcher.sweep.jobs


def test_only_what_is_left_is_launched_and_goes_on_where_it_was(tmp_path: Path) -> None:
    values, jobs = supervised(Recorder(), tmp_path, [1, 2])
    assert values == [0.1, None]
    assert [job.finished for job in jobs] == [True, False]

    (jobs[1].folder / "checkpoints").mkdir()
    (jobs[1].folder / "checkpoints" / "last.ckpt").touch()
    again = Recorder()
    values, jobs = supervised(again, tmp_path, [4, 1, 2])
    assert values == [0.4, 0.1, None]
    assert [job.folder.name for job in jobs] == ["2", "0", "1"]
    assert [(words[0], "resume" in words[-1]) for words in again.given] == [
        ("seed=4", False),
        ("seed=2", True),
    ]
    text = summary(jobs)
    assert "    2  finished         seed=4\n    0  finished before  seed=1\n" in text
    assert "3 jobs: 2 finished, 1 of them before; 1 failed" in text
    assert f"failed: {jobs[2].folder}: OSError: no space left on device" in text


def test_a_launcher_that_gives_up_takes_no_result_along(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sweeps, "GRACE", 0)
    values, jobs = supervised(Recorder(gives_up=True), tmp_path, [1, 2, 3])
    assert values == [0.1, None, None]
    assert jobs[1].reason == "OSError: no space left on device"
    assert jobs[2].reason == "its process ended without a result (RuntimeError: exit code -9)"


@pytest.mark.parametrize("launcher", ["basic", "local_joblib", "local_submitit"])
def test_hydra_gives_its_jobs_to_the_launcher_that_is_asked_for(
    where: Path, launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"hydra/launcher={launcher}", "hydra.sweep.dir=swept", "seed=1,4"]
    asked = compose_hydra("train", words[:-1]).hydra.launcher
    recorder = Recorder()
    monkeypatch.setattr(resolve_name(asked._target_), "launch", recorder.launch)
    with through_hydra.sweep("train", words, lambda _: {}) as (sweep, go):
        go(lambda _: None)
    assert [job[0] for job in recorder.given] == ["seed=1", "seed=4"]
    assert [job.objective for job in sweep.jobs] == [0.1, 0.4]
    written = OmegaConf.load(where / "swept" / "multirun.yaml")
    assert written.hydra.launcher._target_ == asked._target_


def test_a_job_that_submitit_lost_does_not_hide_the_others() -> None:
    core = pytest.importorskip("submitit").core.core

    class Lost(core.Job):
        def __init__(self) -> None:
            """Not submitted."""

        def wait(self) -> None:
            raise RuntimeError("has not produced any output\nout of memory")

        def __del__(self) -> None:
            """Nobody has to know."""

    original = core.Job.results
    with outlived():
        (returned,) = Lost().results()
    assert returned.status == JobStatus.FAILED
    assert str(returned._return_value).endswith("out of memory")
    assert core.Job.results is original


@pytest.mark.slow
def test_joblib_runs_a_sweep_that_outlives_its_failures(
    where: Path, capfd: pytest.CaptureFixture
) -> None:
    words = [*TINY, "max_meta_iterations=3", "eval.val_every=3", "eval.val_tasks=2", "name=mine"]
    words += ["-m", "hydra/launcher=local_joblib", "algorithm=unlucky"]
    words += ["algorithm.fate=live,raise,killed"]
    assert train.main(words) == 1
    out = capfd.readouterr().out
    swept = where / "outputs" / "sweeps" / "mine"
    assert [path.parent.name for path in swept.glob("*/results.json")] == ["0"]
    record = read_record(swept / "0")
    assert record["state"] == "finished"
    chosen = json.loads((swept / "0" / "results.json").read_text())["results"][0]["selected_by"]
    assert record["objective"] == chosen["acc"]
    assert "outputs/sweeps/mine/1: RuntimeError: fails by design" in out
    assert "outputs/sweeps/mine/2: killed by signal 9 (SIGKILL)" in out
    assert "3 jobs: 1 finished, 0 of them before; 2 failed" in out


@pytest.mark.slow
def test_twelve_jobs_one_fails_one_is_killed(
    where: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # all twelve at once
    fates = [*"abcdefghij", "raise", "killed"]
    words = [*TINY, "max_meta_iterations=3", "eval.val_every=null", "name=twelve"]
    words += ["algorithm=unlucky", f"algorithm.fate={','.join(fates)}", "-m"]
    assert train.main([*words, "hydra/launcher=local_submitit"]) == 1
    out = capfd.readouterr().out
    swept = where / "outputs" / "sweeps" / "twelve"
    results = {p.parent.name: p.stat().st_mtime_ns for p in swept.glob("*/results.json")}
    assert sorted(results, key=int) == [str(n) for n in range(10)]
    assert "outputs/sweeps/twelve/10: RuntimeError: fails by design" in out
    assert "outputs/sweeps/twelve/11: killed by signal 9 (SIGKILL)" in out
    assert "12 jobs: 10 finished, 0 of them before; 2 failed" in out

    (where / "mended").touch()
    assert train.main(words) == 0  # with another launcher
    out = capfd.readouterr().out
    assert "12 jobs: 12 finished, 10 of them before; 0 failed" in out
    again = {p.parent.name: p.stat().st_mtime_ns for p in swept.glob("*/results.json")}
    assert len(again) == 12
    assert {name: again[name] for name in results} == results
    for job in ("10", "11"):  # after two of three meta-iterations
        overrides = OmegaConf.load(swept / job / ".hydra" / "overrides.yaml")
        assert any(str(word).startswith("resume=") for word in overrides)


@pytest.mark.slow
def test_optuna_searches_by_validation(where: Path, capfd: pytest.CaptureFixture) -> None:
    words = [*TINY, "max_meta_iterations=2", "eval.val_every=2", "eval.val_tasks=4", "name=search"]
    words += ["-m", "hydra/sweeper=optuna_val", "hydra.sweeper.n_trials=3"]
    words += ["algorithm.inner.lr=tag(log, interval(0.0001, 0.1))"]
    assert train.main(words) == 0
    swept = where / "outputs" / "sweeps" / "search"
    values = [read_record(swept / str(n))["objective"] for n in range(3)]
    best = yaml.safe_load((swept / "optimization_results.yaml").read_text())
    assert best["best_value"] == max(values)
    assert train.main(words) == 0  # the same proposals, the same folders
    assert "3 finished, 3 of them before" in capfd.readouterr().out


@pytest.mark.slow
def test_a_stored_search_goes_on(where: Path, capfd: pytest.CaptureFixture) -> None:
    """What was killed is finished first; then come proposals that were not made before."""
    words = [*TINY, "max_meta_iterations=3", "eval.val_every=3", "eval.val_tasks=4", "name=search"]
    words += ["-m", "hydra/sweeper=optuna_val", "hydra.sweeper.storage=sqlite:///search.db"]
    words += ["algorithm.inner.lr=tag(log, interval(0.0001, 0.1))", "algorithm=unlucky"]
    assert train.main([*words, "hydra.sweeper.n_trials=1", "algorithm.fate=killed"]) == 1
    assert "search/0: killed by signal 9 (SIGKILL)" in capfd.readouterr().out
    (where / "mended").touch()
    assert train.main([*words, "hydra.sweeper.n_trials=2", "algorithm.fate=killed"]) == 0
    out = capfd.readouterr().out
    assert "2 jobs: 2 finished, 0 of them before; 0 failed" in out
    swept = where / "outputs" / "sweeps" / "search"
    assert "resume=" in (swept / "0" / "overrides.yaml").read_text()
    rates = [yaml.safe_load((swept / job / "config.yaml").read_text()) for job in "01"]
    assert len({config["algorithm"]["inner"]["lr"] for config in rates}) == 2
    values = [read_record(swept / job)["objective"] for job in "01"]
    best = yaml.safe_load((swept / "optimization_results.yaml").read_text())
    assert best["best_value"] == max(values)  # over all trials of the study


def stored_search(where: Path) -> tuple[Any, Any]:
    """The sweeper's node of a search that is stored, and what opens its study."""
    optuna = pytest.importorskip("optuna")
    storage = f"sqlite:///{where}/search.db"
    node = {"storage": storage, "study_name": "mine", "sampler": {"seed": 3}}
    return OmegaConf.create(node), lambda: optuna.create_study(
        study_name="mine", storage=storage, load_if_exists=True
    )


def test_a_search_that_is_new_or_not_stored_is_left_alone(tmp_path: Path) -> None:
    node, _ = stored_search(tmp_path)
    for changed in ({}, {"storage": None}, {"study_name": None}):
        before = {**node, **changed}
        sweeper = OmegaConf.create(before)
        go_on(sweeper, tmp_path)
        assert sweeper == before


def test_a_stored_search_asks_again_for_what_has_no_objective(tmp_path: Path) -> None:
    node, opened = stored_search(tmp_path)
    study = opened()
    trials = [study.ask() for _ in range(3)]
    rates = [trial.suggest_float("lr", 0, 1) for trial in trials]
    study.tell(trials[0], 0.5)
    study.tell(trials[1], state=type(trials[1].study.trials[1].state).FAIL)
    OmegaConf.set_readonly(node, True)
    go_on(node, tmp_path)
    assert node.sampler.seed == 3 + 3
    go_on(node, tmp_path)  # and not twice
    study = opened()
    assert len(study.trials) == 5
    asked = [study.ask().suggest_float("lr", 0, 1) for _ in range(3)]
    assert asked[:2] == rates[1:]
    assert asked[2] not in rates


DIVERGED = {"results.json": '{"schema": 1, "results": [{"loss": null}]}'}
DIVERGED["metrics.csv"] = "meta_iteration,val/loss\n2,inf\n"


def job_of(sweep: Path, words: Sequence[str], files: Mapping[str, str]) -> Path:
    """A finished job's folder, whose record has no figure."""
    folder = sweep / str(len(list(sweep.glob("*"))))
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "overrides.yaml").write_text(yaml.safe_dump([*words, "resume=null"]))
    write_record(folder, "finished", objective=math.inf)
    return folder


def test_a_sweeper_is_told_the_worst_of_a_job_that_has_diverged(tmp_path: Path) -> None:
    folder = job_of(tmp_path, [], DIVERGED)
    assert read_record(folder)["objective"] is None
    assert Job(folder, []).objective == math.inf
    (folder / "metrics.csv").unlink()
    assert Job(folder, []).objective is None


@pytest.mark.parametrize("known", [True, False])
def test_a_stored_search_never_asks_again_for_what_has_finished(known, tmp_path: Path) -> None:
    """A search of an earlier version calls failed what has diverged; another one was killed before
    it had told what its job had found."""
    node, opened = stored_search(tmp_path)
    study = opened()
    trials = [study.ask() for _ in range(3)]
    for trial in trials:
        trial.suggest_float("lr", 0, 1)
        trial.set_user_attr("seed", "1")
    study.tell(trials[0], state=type(study.trials[0].state).FAIL)
    files = DIVERGED if known else {"results.json": FINISHED}
    for trial in trials[:2]:
        job_of(tmp_path / "swept", [f"lr={trial.params['lr']}", "seed=1"], files)
    job_of(tmp_path / "swept", [f"lr={trials[2].params['lr']}", "seed=2"], files)  # another's
    go_on(node, tmp_path / "swept")
    go_on(node, tmp_path / "swept")  # and not twice
    added = opened().trials[3:]
    told = [trial for trial in added if trial.state.name == "COMPLETE"]
    assert [trial.params for trial in told] == [trial.params for trial in trials[:2]] * known
    assert all(trial.value == math.inf for trial in told)
    (asked,) = (trial for trial in added if trial.state.name == "WAITING")
    assert asked.system_attrs["fixed_params"] == trials[2].params


# --- configuration


def test_a_named_sweep_needs_no_flag_and_its_axes_can_be_replaced() -> None:
    arguments = read("train", ["sweep=algorithms", "seed=7", "meta_batch=2,3"])
    assert arguments.sweep
    assert arguments.flags == ["--multirun"]
    assert not read("train", ["sweep=null"]).sweep
    params = compose_hydra("train", ["sweep=algorithms"]).hydra.sweeper.params
    axes = [f"{key}={values}" for key, values in params.items()]
    jobs = list(combinations([*axes, "sweep=algorithms", "seed=7"]))
    assert len(jobs) == 6
    assert jobs[1] == ["algorithm=reptile", "shots=5w5s", "seed=7", "sweep=algorithms"]


TARGETS = {
    "hydra/launcher=local_joblib": "joblib_launcher.JoblibLauncher",
    "hydra/launcher=local_submitit": "submitit_launcher.LocalLauncher",
    "hydra/launcher=slurm": "submitit_launcher.SlurmLauncher",
    "hydra/launcher=ray_cluster": "ray_launcher.RayLauncher",
    "hydra/sweeper=optuna_val": "optuna_sweeper.OptunaSweeper",
}


def test_every_launcher_and_sweeper_composes() -> None:
    groups = ("hydra/launcher", "hydra/sweeper")
    assert set(TARGETS) == {f"{group}={o}" for group in groups for o in options(group)}
    for choice, target in TARGETS.items():
        with initialized():
            chosen = compose("train", [choice], return_hydra_config=True).hydra
        part = chosen.launcher if "launcher" in choice else chosen.sweeper
        assert part._target_.endswith(target)
        OmegaConf.to_container(part)


# --- what a cluster starts again


def test_a_job_that_is_started_again_goes_on_from_its_own_checkpoint(tmp_path: Path) -> None:
    own = {"resume": str(tmp_path.resolve())}
    assert resume.cut_off(tmp_path, {"resume": None}) == {}
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    assert resume.cut_off(tmp_path, {"resume": None}) == own
    assert resume.cut_off(tmp_path, {"resume": "/another/run"}) == own  # where it began
    assert resume.cut_off(tmp_path, own) == {}  # the sweep has said so
    assert resume.cut_off(tmp_path, {"checkpoint": "/a/run"}) == {}  # an evaluation


def test_where_slurm_is_lightning_has_nothing_to_say(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "srun").touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_trainer({"accelerator": "cpu", "devices": 1})


# --- locks and resume=auto


@pytest.mark.process
def test_a_directory_is_held_by_one_process_until_it_dies(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from fewstep.disk.lock import held\n"
        "with held(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=rf"another process .*\(pid {other.pid} on "):
            lock.check_free(tmp_path)
        with pytest.raises(ConfigError, match=r"name=\.\.\."), lock.held(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    lock.check_free(tmp_path)
    with lock.held(tmp_path):
        assert lock.in_use(tmp_path)


def made(name: str, *files: str, words: Sequence[str] = ()) -> Path:
    """A run directory of the configuration that `words` give, with empty files in it."""
    folder = Path("outputs", "runs", "reptile_glyphs_5w1s", name)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    OmegaConf.save(compose_config("train", words), folder / "config.yaml", resolve=True)
    return folder


CUT_OFF = "checkpoints/last.ckpt"


def test_auto_takes_the_newest_run_of_the_configuration_that_is_not_finished(where, capsys) -> None:
    assert resume.unfinished("train", [], in_place=False) is None
    made("2026-01-01", CUT_OFF)
    newest = made("2026-01-02", CUT_OFF)
    done = made("2026-01-03", CUT_OFF)
    (done / "results.json").write_text(FINISHED)
    made("2026-01-04", CUT_OFF, words=["seed=1"])
    empty = made("2026-01-05", "metrics.csv")
    assert resume.unfinished("train", ["logger=wandb"], in_place=False) == newest
    assert resume.unfinished("train", ["seed=2"], in_place=False) is None
    assert resume.unfinished("train", [f"hydra.run.dir={done}"], in_place=True) is None
    assert resume.unfinished("train", [f"hydra.run.dir={empty}"], in_place=True) is None
    assert capsys.readouterr().out.splitlines() == [
        "resume=auto: no run of this configuration in outputs/runs/reptile_glyphs_5w1s; "
        "starting a new run",
        f"resume=auto: going on with {newest}",
        "resume=auto: no run of this configuration in outputs/runs/reptile_glyphs_5w1s; "
        "starting a new run",
        f"resume=auto: {done} is finished; starting a new run",
        f"resume=auto: {empty} has no checkpoint; starting a new run",
    ]


def test_auto_leaves_the_copy_of_a_run_alone(where: Path, capsys) -> None:
    made("2026-01-01_10-00-00-000000", CUT_OFF)
    run = made("2026-01-02_10-00-00-000000", CUT_OFF)
    made("backup", CUT_OFF)
    made("2026-01-02_10-00-00-000000.bak", CUT_OFF)
    assert resume.unfinished("train", [], in_place=False) == run


def test_auto_goes_on_with_a_run_whose_results_are_cut_short(where, capsys) -> None:
    cut = made("2026-01-01", CUT_OFF)
    (cut / "results.json").write_text(FINISHED[:-1])
    assert resume.unfinished("train", [], in_place=False) == cut


def test_a_job_whose_results_are_empty_is_done_again(tmp_path: Path) -> None:
    supervised(Recorder(), tmp_path, [1])
    job = tmp_path / "swept" / "0"
    (job / "results.json").write_text("")
    (job / "checkpoints").mkdir()
    (job / CUT_OFF).touch()
    again = Recorder()
    _, (done,) = supervised(again, tmp_path, [1])
    assert f"resume='{job}'" in again.given[0]
    assert not done.before
    assert done.finished


@pytest.mark.parametrize("later", ["max_meta_iterations=70000", "eval.tasks=777"])
def test_results_of_an_earlier_end_do_not_stand_for_a_later_one(later: str, where, capsys) -> None:
    run = made("2026-01-01", CUT_OFF)
    told = {"schema": 1, "results": [{}], "config": hashed(config_of(run))}
    (run / "results.json").write_text(json.dumps(told))
    assert finished(run)
    made("2026-01-01", words=[later])  # it went on, and was killed
    assert not finished(run)
    assert not damage(run)
    assert states.of_run(run).state == states.STOPPED
    assert resume.unfinished("train", [later], in_place=False) == run


@pytest.mark.parametrize("record", [None, "stopped"])
def test_a_job_that_was_killed_behind_its_results_has_its_objective(record, tmp_path: Path) -> None:
    supervised(Recorder(), tmp_path, [1])
    job = tmp_path / "swept" / "0"
    (job / "job.json").unlink()
    if record:
        write_record(job, record, CUT_SHORT)
    (job / "results.json").write_text('{"schema": 1, "results": [{"acc": 0.5}]}')
    (job / "metrics.csv").write_text("meta_iteration,val/acc\n10,0.25\n20,0.75\n")
    values, (done,) = supervised(Recorder(), tmp_path, [1])
    assert done.before
    assert values == [0.75]
    assert read_record(job) == {"state": "finished", "reason": None, "objective": 0.75}


def test_auto_refuses_a_run_that_is_at_work(where: Path) -> None:
    folder = made("2026-01-01", "metrics.csv")
    with lock.held(folder), pytest.raises(ConfigError, match="another process is at work"):
        resume.unfinished("train", [], in_place=False)


# --- a sweep runs no job twice

TWICE = {
    "seed=1,1": "seed=1,1: has 1 twice, and a sweep runs no job twice. Leave one of them out",
    "algorithm=reptile,maml,reptile": "algorithm=reptile,maml,reptile: has reptile twice, and a "
    "sweep runs no job twice. Leave one of them out",
    "point={a:1},{a: 1}": "point={a:1},{a: 1}: has {a:1} twice, and a sweep runs no job twice. "
    "Leave one of them out",
    "algorithm.inner.lr=1,1.0": "in the sweep's algorithm.inner.lr=1.0: is algorithm.inner.lr=1 "
    "again, and a sweep runs no job twice. Leave one of them out",
}


@pytest.mark.parametrize("words", TWICE)
def test_a_point_that_is_given_twice_is_refused(words: str, tmp_path: Path) -> None:
    """It would be run twice, and counted as two seeds."""
    with pytest.raises(ConfigError) as caught:
        settled_sweep(train.command(), [words])
    assert str(caught.value) == TWICE[words]


def test_points_that_share_a_value_are_two() -> None:
    words = ["point={a: 1, b: 1},{a: 1, b: 2}"]
    assert settled_sweep(train.command(), words)


# --- how many jobs

MANY = "must be a whole number of at least 1"
OPTUNA = "hydra/sweeper=optuna_val"
AMOUNTS = {
    ("hydra/launcher=local_joblib", "hydra.launcher.n_jobs=0"): "hydra.launcher.n_jobs=0: must be "
    "how many jobs run at a time, or -1: one a core. For example hydra.launcher.n_jobs=2",
    (OPTUNA, "hydra.sweeper.n_jobs=0"): f"hydra.sweeper.n_jobs=0: {MANY}. For example "
    "hydra.sweeper.n_jobs=1",
    (OPTUNA, "hydra.sweeper.n_trials=-1"): f"hydra.sweeper.n_trials=-1: {MANY}. For example "
    "hydra.sweeper.n_trials=20",
    ("hydra.sweeper.max_batch_size=0",): f"hydra.sweeper.max_batch_size=0: {MANY} or null. For "
    "example hydra.sweeper.max_batch_size=8",
}


@pytest.mark.parametrize("words", AMOUNTS, ids=" ".join)
def test_a_number_of_jobs_that_is_none_is_refused_before_there_is_a_folder(
    words: tuple[str, ...], where: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        settled_sweep(train.command(), [*words, "seed=1,2"])
    assert str(caught.value) == AMOUNTS[words]
    assert not (where / "outputs").exists()


def test_a_job_for_each_core_is_a_number_of_jobs(where: Path) -> None:
    words = ["hydra/launcher=local_joblib", "hydra.launcher.n_jobs=-1", "seed=1,2"]
    assert settled_sweep(train.command(), [*words, "hydra.sweeper.max_batch_size=1"])


def test_the_name_of_a_jobs_folder_is_none_of_a_single_run() -> None:
    with pytest.raises(ConfigError) as caught:
        check_folder_keys(read("train", ["hydra.sweep.subdir=x"]))
    assert str(caught.value) == (
        "hydra.sweep.subdir=x: is a folder of a sweep's job, and this is a single run. Give the "
        "run's folder as hydra.run.dir=..."
    )
