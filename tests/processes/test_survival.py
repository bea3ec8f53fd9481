"""Full disks, folders that cannot be written to, signals and kills: one line, and nothing lost."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fewstep.commands import train
from fewstep.disk import files
from fewstep.disk.files import CannotWrite, filling, replacing
from fewstep.loggers.metrics_file import MetricsFile
from fewstep.records.metrics import read_metrics
from fewstep.records.outcome import finished
from fewstep.run.stored import checkpoint


pytestmark = [pytest.mark.run, pytest.mark.process]


TINY = [
    *("trainer=cpu", "execution=serial", "dataset.classes=60", "model.channels=8"),
    "meta_batch=2",
    *("algorithm.inner.steps=2", "log_every=3", "eval.tasks=6", "eval.steps=3"),
    *("eval.curve_tasks=4", "eval.val_every=2", "eval.val_tasks=4", "checkpoint_every=2"),
]
VARYING = ("train_seconds", "tasks_per_second", "peak_bytes", "command")
"""What a run that was stopped and resumed cannot have as the undisturbed one."""


def start(where: Path, *words: str) -> subprocess.Popen:
    """The real command."""
    return subprocess.Popen(
        [sys.executable, "-m", "fewstep.cli", "train", *words],
        cwd=where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen, path: Path) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)


def content(folder: Path) -> dict:
    """Final weights, inner state, results and curves, without times."""
    saved = checkpoint.read(folder / "checkpoints" / "last.ckpt")
    tensors = {**saved["state_dict"], **saved["fewstep"]["inner_state"]["v"]}
    report = json.loads((folder / "results.json").read_text())
    return {
        "tensors": {name: tensor.tolist() for name, tensor in tensors.items()},
        "results": {name: value for name, value in report.items() if name not in VARYING},
        "metrics": (folder / "metrics.csv").read_text(),
        "per_task": {f.name: f.read_text() for f in (folder / "per_task").iterdir()},
    }


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def left_by(where: Path, *words: str) -> dict:
    """What six meta-iterations leave that nothing happened to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setattr(sys, "argv", sys.argv)
        patch.setattr(sys, "path", list(sys.path))
        assert train.main([*words, "max_meta_iterations=6", "hydra.run.dir=run"]) == 0
    return content(where / "run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict:
    return left_by(tmp_path_factory.mktemp("undisturbed"), *TINY)


# --- one file


def test_a_file_is_replaced_as_a_whole_or_stays(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as aside:
        aside.write_text("first")
    with pytest.raises(TypeError), replacing(path) as aside, aside.open("w") as file:
        file.writelines(["half of the sec", None])
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_an_output_that_is_stopped_leaves_no_folder_of_its_own(tmp_path):
    def stopped(folder: Path) -> None:
        with filling(folder) as aside:
            (aside / "report.md").write_text("half")
            raise KeyboardInterrupt

    (tmp_path / "earlier").mkdir()
    for name in ("new", "earlier"):
        with pytest.raises(KeyboardInterrupt):
            stopped(tmp_path / name)
    assert [*tmp_path.rglob("*")] == [tmp_path / "earlier"]


def test_what_is_written_aside_has_a_name_that_nobody_elses_file_has(tmp_path):
    """`model.onnx` and `model.part` are two files of a user's."""
    (tmp_path / "model.part").write_text("mine")
    with replacing(tmp_path / "model.onnx") as aside:
        aside.write_text("ours")
    assert (tmp_path / "model.part").read_text() == "mine"
    assert (tmp_path / "model.onnx").read_text() == "ours"


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: done.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    monkeypatch.setattr(os, "replace", lambda old, new: done.append(new))
    path = tmp_path / "file.txt"
    with replacing(path) as aside:
        aside.write_text("text")
    assert done == [tmp_path / "file.txt.part", path, tmp_path]


def test_a_row_that_was_cut_short_is_no_row(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("meta_iteration,tasks_seen,train/acc\r\n1,5,0.5\r\n12,60,0.75\r\n1")
    assert [row["meta_iteration"] for row in read_metrics(path)[1]] == [1, 12]
    metrics = MetricsFile(path)
    metrics.cut_back(12)
    assert path.read_text().splitlines() == [
        "meta_iteration,tasks_seen,train/acc",
        "1,5,0.5",
        "12,60,0.75",
    ]


# --- a full disk


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "time", "resumable"),
    [
        ("best.ckpt", 1, False),
        ("last.ckpt", 2, True),
        ("inductive.csv", 1, True),
        ("results.json", 1, True),
        ("curves.png", 1, True),
    ],
)
def test_a_full_disk_ends_in_one_line(name, time, resumable, here, undisturbed, monkeypatch, capfd):
    """The disk is full when a file of this name is written for the first or second time."""
    replace, seen = os.replace, []

    def full(old: Path, new: Path) -> None:
        seen.append(new.name.endswith(name))
        if seen[-1] and sum(seen) == time:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        assert train.main([*TINY, "max_meta_iterations=6", "hydra.run.dir=run"]) == 1
    message = capfd.readouterr().err
    (line,) = [line for line in message.splitlines() if line.startswith("fewstep: ")]
    assert f"{name}: cannot be written (No space left on device). Make room" in line
    assert "Traceback" not in message
    assert not list((here / "run").rglob("*.part"))
    if not resumable:
        where = here / "run"
        assert f"There is no checkpoint in {where} to continue from. The same command" in line
    else:
        assert line.endswith(f"Continue with: fewstep train resume={here / 'run'}")
    if name == "last.ckpt":
        assert (
            checkpoint.read(here / "run" / "checkpoints" / name)["fewstep"]["meta_iteration"] == 2
        )
    if name in ("last.ckpt", "curves.png"):
        assert not finished(here / "run")  # `resume=auto` and a sweep go on as well
        assert train.main([f"resume={here / 'run'}"]) == 0
        assert content(here / "run") == undisturbed


def test_a_full_disk_leaves_the_rows_that_were_whole(tmp_path, monkeypatch):
    metrics = MetricsFile(tmp_path / "metrics.csv")
    metrics.log_metrics({"train/acc": 0.5, "meta_iteration": 1, "tasks_seen": 5})
    full = lambda *_, **__: open("/dev/full", "w")  # noqa: E731, SIM115
    monkeypatch.setattr("fewstep.loggers.metrics_file.open", full, raising=False)
    with pytest.raises(CannotWrite, match=r"metrics.csv: cannot be written \(No space left"):
        metrics.log_metrics({"train/acc": 0.6, "meta_iteration": 2, "tasks_seen": 10})
    monkeypatch.undo()
    assert [row["meta_iteration"] for row in read_metrics(metrics.path)[1]] == [1]


def test_a_file_size_limit_in_the_middle_of_a_checkpoint(here, capfd):
    """A real limit, of the system's own: the first checkpoint is larger than it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        assert train.main([*TINY, "max_meta_iterations=2", "hydra.run.dir=run"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message = capfd.readouterr().err
    assert "best.ckpt: cannot be written (File too large)" in message
    assert "Traceback" not in message
    assert not list(here.rglob("*.part"))


# --- a place that cannot be written to


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("hydra.run.dir=taken/run", "Not a directory"),
        ("hydra.run.dir=/proc/run", "No such file"),
    ],
)
def test_a_run_directory_that_cannot_be_made(word, reason, here, capfd):
    (here / "taken").write_text("a file")
    assert train.main([*TINY, word]) == 2
    message = capfd.readouterr().err
    assert message.startswith(f"fewstep: {word}: cannot be written to (")
    assert reason in message
    assert "choose another place with hydra.run.dir=..." in message
    assert [path.name for path in here.iterdir()] == ["taken"]


def test_a_sweep_whose_folder_cannot_be_made(here, capfd):
    (here / "outputs").write_text("a file")
    assert train.main([*TINY, "-m", "seed=1,2"]) == 2
    assert "hydra.sweep.dir=outputs/sweeps/" in capfd.readouterr().err


# --- signals


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_says_how_to_go_on_and_is_no_success(number, tmp_path):
    process = start(tmp_path, *TINY, "max_meta_iterations=100000", "hydra.run.dir=run")
    wait_for(process, tmp_path / "run" / "checkpoints" / "last.ckpt")
    process.send_signal(number)
    message = process.communicate(timeout=200)[1]
    assert process.returncode == 1
    assert f"fewstep: stopped. Continue with: fewstep train resume={tmp_path / 'run'}" in message
    assert "Traceback" not in message
    saved = checkpoint.read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert saved["fewstep"]["meta_iteration"] >= 2


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_signal_while_testing_says_how_to_go_on(here, undisturbed, monkeypatch, capfd):
    from fewstep.run import training

    words = [*TINY, "max_meta_iterations=6", "hydra.run.dir=run"]
    with monkeypatch.context() as patch:
        patch.setattr(training, "meta_test", lambda *_: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(SystemExit) as stop:
            train.main(words)
    assert stop.value.code == 1
    assert "fewstep: stopped. Continue with: fewstep train resume=" in capfd.readouterr().err
    assert train.main([f"resume={here / 'run'}"]) == 0
    assert content(here / "run") == undisturbed
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_overrides_that_hydra_was_killed_over(here, undisturbed, monkeypatch):
    from fewstep.run import training

    words = [*TINY, "max_meta_iterations=6", "hydra.run.dir=run"]
    with monkeypatch.context() as patch:
        patch.setattr(training, "meta_test", lambda *_: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(SystemExit):
            train.main(words)
    (here / "run" / ".hydra" / "overrides.yaml").write_text("")
    assert train.main([f"resume={here / 'run'}"]) == 0
    assert content(here / "run") == undisturbed


# --- kill -9


def run_in(where: Path, words: list[str]) -> None:
    os.chdir(where)
    sys.exit(train.main(words))


def begun(where: Path, *words: str) -> Any:
    """A training in a process that is forked from one which has imported torch: that takes longer
    than the run."""
    where.mkdir(exist_ok=True)
    clean = multiprocessing.get_context("forkserver")
    clean.set_forkserver_preload(["fewstep.run.training"])
    process = clean.Process(target=run_in, args=(where, list(words)))
    process.start()
    return process


@pytest.mark.slow
@pytest.mark.alone
def test_twenty_kills_change_nothing(tmp_path):
    """At random moments: of starting up, of training and saving, of testing."""
    words = [*TINY, "max_meta_iterations=200", "checkpoint_every=1", "hydra.run.dir=run"]
    whole, run, moments = begun(tmp_path / "whole", *words), tmp_path / "run", random.Random(0)
    whole.join()
    assert whole.exitcode == 0
    last, reached = run / "checkpoints" / "last.ckpt", []
    for kill in range(20):
        process = begun(tmp_path, *([f"resume={run}"] if last.exists() else words))
        if kill % 5 == 0:  # starting up
            time.sleep(moments.uniform(0, 2))
        else:
            wait_for_another(process, last if kill < 17 else run / "per_task")
            time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        for path in run.glob("checkpoints/*.ckpt"):  # none is torn
            reached.append(checkpoint.read(path)["fewstep"]["meta_iteration"])
    assert len(set(reached)) > 10
    process = begun(tmp_path, f"resume={run}")
    process.join()
    assert process.exitcode == 0
    assert content(run) == content(tmp_path / "whole" / "run")
    assert not list(run.rglob("*.part"))


def wait_for_another(process: Any, path: Path) -> None:
    """Until a process has written a file, or into a folder, that it finds there or not."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    while process.is_alive() and (not path.exists() or path.stat().st_mtime_ns == before):
        time.sleep(0.005)
