"""A folder from somebody else: nothing is ever written through a link that lies in it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from fewstep.commands import train
from fewstep.disk.cache.cache import Content, cached
from fewstep.disk.files import CannotWrite, check_place, replacing
from fewstep.disk.lock import check_free, held, in_use
from fewstep.launch.job_folders import Folders
from fewstep.launch.resume import keep
from fewstep.loggers.metrics_file import MetricsFile
from fewstep.messages.errors import ConfigError
from fewstep.records.job_record import write_record
from fewstep.records.results import write_json


@pytest.fixture
def victim(tmp_path) -> Path:
    """A file of the user's that nobody may touch."""
    file = tmp_path / "victim"
    file.write_text("precious\n")
    yield file
    assert file.read_text() == "precious\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_leads_elsewhere(folder, victim, kind):
    lock = folder / ".lock"
    {
        "link": lambda: lock.symlink_to(victim),
        "pipe": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
    }[kind]()
    for use in (
        lambda: held(folder).__enter__(),
        lambda: in_use(folder),
        lambda: check_free(folder),
    ):
        with pytest.raises(ConfigError, match=r"run/\.lock: is a link or no plain file"):
            use()


def test_a_start_waits_for_who_only_looks(folder):
    """`status --watch` takes a lock for a moment to see whether somebody has it."""
    lock = FileLock(folder / ".lock", thread_local=False)
    lock.acquire()
    threading.Timer(0.05, lock.release).start()
    with held(folder):
        assert in_use(folder)


def test_who_holds_a_lock_is_shown_in_one_line(folder):
    with held(folder):
        (folder / ".lock").write_text("pid 1\n\x1b[2Jrm -rf /" + "x" * 1000)
        with pytest.raises(ConfigError) as caught:
            check_free(folder)
    assert r"(pid 1\n\x1b[2Jrm -rf /xxx" in str(caught.value)
    assert len(str(caught.value)) < 500


WRITERS = {
    "config.yaml.part": lambda folder: keep(folder, {"a": 1}, ["a=1"]),
    "overrides.yaml.part": lambda folder: keep(folder, {"a": 1}, ["a=1"]),
    "results.json.part": lambda folder: write_json(folder / "results.json", {}),
    "results.json": lambda folder: write_json(folder / "results.json", {}),
    "job.json.part": lambda folder: write_record(folder, "finished"),
    "job.json": lambda folder: write_record(folder, "finished"),
    "metrics.csv.part": lambda folder: MetricsFile(folder / "metrics.csv").log_metrics(
        {"meta_iteration": 1, "tasks_seen": 5}
    ),
    "last.ckpt.part": lambda folder: _write(folder / "last.ckpt"),
    "curves.png.part": lambda folder: _write(folder / "curves.png"),
}


def _write(path: Path) -> None:
    with replacing(path) as aside:
        aside.write_text("x")


@pytest.mark.parametrize(("name", "write"), WRITERS.items(), ids=WRITERS)
def test_a_file_is_written_and_not_what_its_name_links_to(folder, victim, name, write):
    (folder / name).symlink_to(victim)
    write(folder)
    written = [path for path in folder.iterdir() if not path.name.endswith(".part")]
    assert written
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_a_row_of_metrics_is_not_appended_through_a_link(folder, victim):
    metrics = MetricsFile(folder / "metrics.csv")
    metrics.log_metrics({"meta_iteration": 1, "tasks_seen": 5})
    (folder / "metrics.csv").unlink()
    (folder / "metrics.csv").symlink_to(victim)
    with pytest.raises(CannotWrite, match=r"metrics\.csv: cannot be written"):
        metrics.log_metrics({"meta_iteration": 2, "tasks_seen": 10})


def test_a_job_of_a_sweep_gets_a_folder_of_its_own(folder, victim):
    (folder / "0").symlink_to(victim.parent)
    claimed = Folders(folder, lambda _: {}).claim(
        {"algorithm": {}, "dataset": {}, "trainer": {"precision": 32}}, 0
    )
    assert claimed == folder / "1"
    assert (claimed / "config.yaml").read_text()


def test_the_lock_of_the_cache(tmp_path, victim, monkeypatch):
    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path / "cache"))
    cached("x", {}, lambda: Content((1,), [np.zeros(1, np.uint8)]))
    (entry,) = (tmp_path / "cache").glob("*.npy")
    for file in (tmp_path / "cache").iterdir():
        file.unlink()
    entry.with_suffix(".lock").symlink_to(victim)
    with pytest.raises(OSError, match="cannot write the dataset cache"):
        cached("x", {}, lambda: Content((1,), [np.zeros(1, np.uint8)]))


PLACES = [".lock", "config.yaml", "train.log", "checkpoints", ".hydra", "per_task", "joint"]
PLACES += ["checkpoints/last.ckpt", ".hydra/config.yaml", "joint/metrics.csv", "wandb"]
PLACES += ["wandb/run_id", "3", "3/results.json", "3/checkpoints", "curves.png"]


@pytest.mark.parametrize("place", PLACES)
def test_a_run_directory_with_a_link_is_refused_before_anything_is_written(folder, victim, place):
    link = folder / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(victim)
    with pytest.raises(ConfigError) as caught:
        check_place(folder, "hydra.run.dir")
    assert str(caught.value) == (
        f"hydra.run.dir={folder}: {link} is a link or no plain file, and what is written there "
        "would go elsewhere. Remove it, or choose another place with hydra.run.dir=..."
    )


def test_links_that_are_allowed(folder, tmp_path):
    """To the run directory, in what is not of a run, and W&B's own."""
    (tmp_path / "shortcut").symlink_to(folder)
    (folder / "notes").mkdir()
    (folder / "notes" / "data").symlink_to(tmp_path)
    (folder / "wandb" / "run-1").mkdir(parents=True)
    (folder / "wandb" / "latest-run").symlink_to("run-1")
    (folder / "wandb" / "run-1" / "logs").mkdir()
    (folder / "wandb" / "run-1" / "logs" / "debug-core.log").symlink_to(tmp_path / "cache.log")
    check_place(tmp_path / "shortcut", "hydra.run.dir")
    (folder / "wandb" / "debug.log").symlink_to(tmp_path / "log")
    with pytest.raises(ConfigError, match=r"wandb/debug\.log is a link"):
        check_place(folder, "hydra.run.dir")


def test_a_pipe_in_a_run_directory(folder):
    os.mkfifo(folder / "train.log")
    with pytest.raises(ConfigError, match=r"train\.log is a link or no plain file"):
        check_place(folder, "hydra.run.dir")


def test_the_command_refuses_such_a_folder(folder, victim, monkeypatch, capfd):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(sys, "argv", sys.argv)
    (folder / "train.log").symlink_to(victim)
    words = ["dataset.classes=40", "model.channels=4", "eval.val_every=null"]
    assert train.main([*words, f"hydra.run.dir={folder}"]) == 2
    assert "train.log is a link or no plain file" in capfd.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["train.log"]
