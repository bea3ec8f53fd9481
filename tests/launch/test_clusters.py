"""Every launcher at work: a job is killed and the sweep given again, a cluster's time runs out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import one_node
import pytest

from fewstep.records.job_record import read_record


pytestmark = [pytest.mark.slow, pytest.mark.process]


TINY = [
    *("trainer=cpu", "execution=serial", "dataset.classes=60", "model.channels=4", "meta_batch=1"),
    *("algorithm.inner.steps=2", "checkpoint_every=1", "eval.tasks=4", "eval.steps=1"),
    *("eval.curve_tasks=2", "eval.val_every=null"),
]

LAUNCHERS = {
    "local_joblib": [],
    "local_submitit": [],
    "ray_cluster": ["hydra.launcher.ray.remote.num_cpus=1"],
    "slurm": ["hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"],
}

PLUGINS = {
    "local_joblib": "hydra_joblib_launcher",
    "local_submitit": "hydra_submitit_launcher",
    "ray_cluster": "hydra_ray_launcher",
    "slurm": "hydra_submitit_launcher",
}


@pytest.fixture
def launcher(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Iterator[list[str]]:
    """The words that choose a launcher, where what it launches on is at work."""
    name = request.param
    if not find_spec(f"hydra_plugins.{PLUGINS[name]}"):
        of_ray = ", which needs an environment of its own: make test-ray"
        pytest.skip(f"no {PLUGINS[name]} here{of_ray if name == 'ray_cluster' else ''}")
    if name == "slurm" and (why := one_node.missing()):
        pytest.skip(f"no SLURM here: {why}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    words = [f"hydra/launcher={name}", *LAUNCHERS[name]]
    if name != "slurm":
        yield words
        return
    (tmp_path / "cluster").mkdir()
    with one_node.cluster(tmp_path / "cluster") as variables:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        yield words


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable]:
    """Starts `fewstep train` in a folder, its output in `log`; ends it, if it is still there."""
    started = []

    def begin(*words: str) -> subprocess.Popen:
        command = [sys.executable, "-P", "-m", "fewstep.cli", "train", *TINY, *words]
        with (tmp_path / "log").open("w") as log:
            more = {"stdout": log, "stderr": log, "start_new_session": True}
            started.append(subprocess.Popen(command, cwd=tmp_path, **more))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(condition: Callable[[], object], seconds: float, process: subprocess.Popen) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        assert process.poll() is None, "it has ended before"
        time.sleep(0.02)


@pytest.mark.parametrize("launcher", LAUNCHERS, indirect=True)
def test_a_job_is_killed_and_the_same_command_finishes_it(launcher, begun, tmp_path) -> None:
    words = ["-m", "algorithm=reptile,fomaml,maml", "max_meta_iterations=60", *launcher]
    words += ["hydra.sweep.dir=swept"]
    swept = tmp_path / "swept"
    process = begun(*words)
    until((swept / "1" / "checkpoints" / "last.ckpt").exists, 240, process)
    pid = int((swept / "1" / ".lock").read_text().split()[1])
    os.kill(pid, signal.SIGKILL)
    assert process.wait(300) == 1
    log = (tmp_path / "log").read_text()
    assert "swept/1: killed by signal 9 (SIGKILL)" in log
    assert "3 jobs: 2 finished, 0 of them before; 1 failed" in log
    results = {name: (swept / name / "results.json").stat().st_mtime_ns for name in "02"}

    assert begun(*words).wait(300) == 0
    assert "3 jobs: 3 finished, 2 of them before; 0 failed" in (tmp_path / "log").read_text()
    again = {name: (swept / name / "results.json").stat().st_mtime_ns for name in "02"}
    assert again == results
    assert "resume=" in (swept / "1" / "overrides.yaml").read_text()
    rows = (swept / "1" / "metrics.csv").read_text().splitlines()[1:]
    assert [int(row.partition(",")[0]) for row in rows] == [10, 20, 30, 40, 50, 60]


SLOW_YAML = "defaults: [reptile]\nname: slow\n_target_: slow.Slow\n"
SLOW_PY = '''\
"""Reptile that takes a second a task while a file says so."""

import time
from dataclasses import dataclass
from pathlib import Path

from fewstep.algorithms.reptile import Reptile


@dataclass(frozen=True)
class Slow(Reptile):
    def direction(self, problem, start, episode):
        time.sleep(Path("slow").exists())
        return super().direction(problem, start, episode)
'''


@pytest.mark.parametrize("launcher", ["slurm"], indirect=True)
def test_a_job_whose_time_is_up_goes_on_to_the_same_result(launcher, begun, tmp_path) -> None:
    """SLURM's own limit, one minute, its least; what it does is told by the job's own log."""
    (tmp_path / "conf" / "algorithm").mkdir(parents=True)
    (tmp_path / "conf" / "algorithm" / "slow.yaml").write_text(SLOW_YAML)
    (tmp_path / "slow.py").write_text(SLOW_PY)
    (tmp_path / "slow").touch()
    words = ["algorithm=slow", "max_meta_iterations=100"]
    limit = ["hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=10"]
    process = begun("-m", "seed=1,2", *words, *launcher, *limit, "hydra.sweep.dir=swept")
    swept = tmp_path / "swept"

    def cut_off() -> bool:
        files = [swept / name / "overrides.yaml" for name in "01"]
        return all(file.exists() and "resume=" in file.read_text() for file in files)

    until(cut_off, 240, process)
    (tmp_path / "slow").unlink()
    assert process.wait(300) == 0
    logs = "".join(file.read_text() for file in swept.glob(".submitit/*_0/*.out"))
    assert "this job is timed-out" in logs
    assert "(2 remaining timeouts)" in logs
    assert [read_record(swept / name)["state"] for name in "01"] == ["finished", "finished"]

    assert begun("seed=1", *words, "hydra.run.dir=alone").wait(300) == 0
    assert figures(swept / "0") == figures(tmp_path / "alone")


def figures(folder: Path) -> list:
    """Accuracies, losses and curves of a run, and the tasks that they were measured on."""
    results = json.loads((folder / "results.json").read_text())["results"]
    names = ("protocol", "acc", "loss", "curve", "episodes_sha256")
    return [[r.get(name) for name in names] for r in results]
