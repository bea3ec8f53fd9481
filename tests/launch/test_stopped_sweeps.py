"""A sweep that is stopped or killed takes its jobs along, which save, with every launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fewstep.disk import lock
from fewstep.processes import rank_watch, tether
from fewstep.processes.rank_watch import LEFT, cause, tell, wait


pytestmark = [pytest.mark.run, pytest.mark.process]


TINY = [
    *("train", "-m", "seed=1,2,3", "trainer=cpu", "dataset.classes=60", "model.channels=4"),
    *("meta_batch=2", "eval.tasks=4", "eval.steps=2", "eval.curve_tasks=2", "log_every=1"),
    *("algorithm.inner.steps=2", "eval.val_every=null", "max_meta_iterations=1000000"),
    "hydra.sweep.dir=swept",
]
AT_ONCE = {"basic": 1, "local_joblib": 2, "local_submitit": 3}


def processes(where: Path, part: str) -> list[int]:
    """The processes that were started in a folder and have a text in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace")
            if str(where) == os.readlink(folder / "cwd") and part in words:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def until(condition, seconds: float = 120) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator:
    """Starts a sweep that a launcher runs; nothing of it survives the test."""
    started = []

    def start(launcher: str) -> subprocess.Popen:
        words = [] if launcher == "basic" else [f"hydra/launcher={launcher}"]
        command = [sys.executable, "-P", "-m", "fewstep.cli", *TINY, *words]
        with (tmp_path / "log").open("w") as log:
            started.append(
                subprocess.Popen(
                    command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
                )
            )
        assert until(lambda: len(list(tmp_path.glob("swept/*/metrics.csv"))) == AT_ONCE[launcher])
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.wait()
    for pid in processes(tmp_path, "python"):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.long
@pytest.mark.parametrize("launcher", AT_ONCE)
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "Ctrl-C", "three", "SIGKILL"])
def test_the_jobs_of_a_sweep_end_with_it_and_save(how, launcher, sweep, tmp_path) -> None:
    process = sweep(launcher)
    if how == "Ctrl-C":  # as a terminal does
        os.killpg(process.pid, signal.SIGINT)
    elif how == "three":
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
            time.sleep(0.1)
    else:
        process.send_signal(getattr(signal, how))
    assert process.wait(120) == (-signal.SIGKILL if how == "SIGKILL" else 130)
    assert until(
        lambda: not processes(tmp_path, "fewstep.launch.job"), 60 if how == "SIGKILL" else 0
    )
    assert until(lambda: not processes(tmp_path, "loky"), 30)
    saved = list(tmp_path.glob("swept/*/checkpoints/last.ckpt"))
    assert len(saved) == AT_ONCE[launcher]
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    if how != "SIGKILL":
        assert "stopped: 0 of 3 jobs are finished; the same command goes on" in log


# --- the permission to work


def test_a_sweep_that_lets_go_of_its_folder_cuts_its_jobs_off(tmp_path: Path, monkeypatch) -> None:
    assert not tether.cut(tmp_path)  # no sweep has been here
    with lock.held(tmp_path):
        assert not tether.cut(tmp_path)
    assert tether.cut(tmp_path)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    assert not tether.cut(tmp_path)  # a cluster's jobs are its own
    monkeypatch.delenv("SUBMITIT_EXECUTOR")
    (tmp_path / lock.NAME).write_text("pid 1 on another-machine")
    assert not tether.cut(tmp_path)


HELD = """
import sys, time
from pathlib import Path
from fewstep.processes import signals, tether
with signals.listening(to_all=True):
    try:
        {hold}
        print("held", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        signals.close()
"""


@pytest.mark.parametrize(
    "hold", ["tether.hold_to_parent()", "tether.hold_to_sweep(Path(sys.argv[1]))"]
)
def test_a_process_stops_when_it_is_let_go(hold: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", HELD.format(hold=hold), str(tmp_path)]
    pipe = subprocess.PIPE
    with lock.held(tmp_path):
        process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout.readline() == "held\n"
        if "parent" in hold:
            process.stdin.close()
            assert process.stdout.readline() == "stopped\n"
    with process:  # whose pipes are closed
        assert process.stdout.read() == ("" if "parent" in hold else "stopped\n")
        assert process.wait(20) == 0


# --- ranks that hang


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([LEFT, -9], "rank 1 of 2 was killed by signal 9 (SIGKILL)"),
        ([-9, None], "rank 0 of 2 was killed by signal 9 (SIGKILL)"),
        ([-35, None], "rank 0 of 2 was killed by signal 35"),  # which has no name
        ([LEFT, 1], "rank 1 of 2 ended with status 1"),
        ([1, LEFT], "rank 0 of 2 ended with status 1"),
        ([LEFT, LEFT], "the 2 ranks have lost each other: one hangs, or the network between them"),
        ([LEFT, None], "the 2 ranks have lost each other: one hangs, or the network between them"),
    ],
)
def test_whose_fault_it_was(statuses: list, said: str) -> None:
    assert cause(statuses) == said


SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
WAITS = """
import signal, time
def stop(*_):
    raise SystemExit(1)
signal.signal(signal.SIGINT, stop)
print('up', flush=True); time.sleep(60)
"""


@pytest.mark.parametrize("first", [WAITS, SLEEPS.replace("import", "import signal;import")])
def test_ranks_that_do_not_answer_are_ended(first: str, monkeypatch) -> None:
    """Rank one has been stopped by somebody for good; zero answers, or hangs too."""
    monkeypatch.setattr(rank_watch, "ANSWER", 0.5)
    monkeypatch.setattr(rank_watch, "LAST", 0.5)
    if first is not WAITS:
        first = first.replace("print", "signal.signal(signal.SIGINT, signal.SIG_IGN); print")
    codes = (first, SLEEPS)
    ranks = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in codes
    ]
    try:
        for rank in ranks:
            assert rank.stdout.readline() == b"up\n"
        told: list[float] = []
        tell(ranks, told)
        began = time.monotonic()
        wait(ranks, told)
        assert time.monotonic() - began < 5
        assert ranks[0].poll() == (1 if first is WAITS else None)
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()
