"""Runs on two CPU ranks: what they leave behind is what one process leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_runs import BASELINES, MEASURED, TINY, Run, run

from fewstep.commands import evaluate, train
from fewstep.processes.rank_watch import ANSWER
from problems import ALGORITHMS


pytestmark = [pytest.mark.run, pytest.mark.process]


DOUBLE = [*TINY, *MEASURED, "trainer.precision=64", "max_meta_iterations=4", "checkpoint_every=2"]
EVERYTHING = [*DOUBLE, *BASELINES, "meta_batch=5", "eval.tasks=7"]
TWO = "trainer=ddp_cpu"


def typed(*words: str) -> list[str]:
    """Words for a command line, which takes no key twice: the last of each."""
    return list({word.partition("=")[0]: word for word in words}.values())


def agree(one: object, two: object, key: str = "") -> None:
    """Equal throughout; losses but for the order of a sum."""
    if isinstance(one, dict):
        assert list(one) == list(two)
        for name, value in one.items():
            agree(value, two[name], name)
    elif isinstance(one, list):
        assert len(one) == len(two)
        for mine, yours in zip(one, two, strict=True):
            agree(mine, yours, key)
    else:
        assert one == (pytest.approx(two, rel=1e-9) if key.startswith("loss") else two), key


def same(one: Run, two: Run) -> None:
    """The same tasks and accuracies; losses and weights but for the order of a sum."""
    agree(one.results["results"], two.results["results"])
    counts = ("meta_iterations", "tasks_seen", "config_hash")
    assert [one.results[n] for n in counts] == [two.results[n] for n in counts]
    assert two.results["world_size"] == 2
    weights, others = (r.checkpoint()["state_dict"] for r in (one, two))
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-9, atol=1e-9)
    assert [list(row) for row in one.rows] == [list(row) for row in two.rows]
    for mine, yours in zip(one.rows, two.rows, strict=True):
        for name, value in mine.items():
            assert bool(value) == bool(yours[name])
            if value:
                assert float(value) == pytest.approx(float(yours[name]), rel=1e-9)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Run:
    """What one process leaves; only to be read."""
    return run(train.main, tmp_path_factory.mktemp("alone"), *EVERYTHING)


@pytest.mark.slow
def test_two_ranks_write_the_run_directory_of_one_process(alone, tmp_path):
    two = run(train.main, tmp_path / "two", *EVERYTHING, TWO)
    same(alone, two)
    files = [{p.relative_to(r.folder) for p in r.folder.rglob("*.*")} for r in (alone, two)]
    assert files[0] == files[1]
    assert "WORLD_SIZE" not in os.environ
    assert not torch.distributed.is_initialized()


def sweep(where: Path, *words: str) -> dict[str, Run]:
    """The runs of a sweep, by the number of their job."""
    where.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setattr(sys, "argv", sys.argv)
        patch.setattr(sys, "path", list(sys.path))
        assert train.main([*words, "hydra.sweep.dir=swept", "-m"]) == 0
    return {path.parent.name: Run(path.parent) for path in where.glob("swept/*/results.json")}


@pytest.mark.long
def test_every_algorithm_agrees_on_even_and_uneven_shares(tmp_path):
    """Also a sweep whose jobs, one after another in one process, start ranks of their own."""
    own = [
        word for word in DOUBLE if not word.startswith("eval.steps=")
    ]  # MAML++ has no more rates
    words = [*own, "eval.steps=2", f"algorithm={','.join(ALGORITHMS)}", "meta_batch=4,5"]
    two = sweep(tmp_path / "two", *words, TWO)
    one = sweep(tmp_path / "one", *words)
    assert len(one) == len(two) == 2 * len(ALGORITHMS)
    for job, alone in one.items():
        same(alone, two[job])


@pytest.mark.slow
def test_single_precision_agrees_within_the_interval(tmp_path):
    words = [*TINY, "eval.val_every=null", "max_meta_iterations=20", "eval.tasks=50"]
    one, two = (run(train.main, tmp_path / t, *words, f"trainer={t}") for t in ("cpu", "ddp_cpu"))
    for mine, yours in zip(one.trained, two.trained, strict=True):
        assert mine["episodes_sha256"] == yours["episodes_sha256"]
        assert abs(mine["acc"] - yours["acc"]) <= mine["acc_ci95"]


@pytest.mark.long
@pytest.mark.parametrize(("before", "after"), [(TWO, "trainer=cpu"), ("trainer=cpu", TWO)])
def test_a_run_goes_on_with_other_devices(tmp_path, before, after):
    words = [*DOUBLE, "algorithm.outer.final_lr=null"]
    straight = run(train.main, tmp_path / "straight", *words, TWO)
    half = run(train.main, tmp_path / "half", *words, before, "max_meta_iterations=2")
    whole = run(train.main, tmp_path / "half", f"resume={half.folder}", after, words[-2], words[-3])
    assert whole.folder == half.folder
    assert whole.results["meta_iterations"] == 4
    for name, tensor in straight.checkpoint()["state_dict"].items():
        torch.testing.assert_close(
            whole.checkpoint()["state_dict"][name], tensor, rtol=1e-9, atol=1e-9
        )
    again = run(evaluate.main, tmp_path / "again", f"checkpoint={whole.folder}", TWO)
    assert [e["acc"] for e in again.trained] == [e["acc"] for e in whole.trained]


# --- ranks that something else has started


def finished(*processes: subprocess.Popen) -> None:
    for process in processes:
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0, out


@pytest.mark.slow
def test_ranks_of_torchrun_take_their_places(alone, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words = ["--nproc-per-node=2", "-m", "fewstep.cli", "train", *typed(*EVERYTHING, TWO)]
    finished(subprocess.Popen([*torchrun, *words], cwd=tmp_path))
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    same(alone, Run(folder))


@pytest.mark.slow
def test_ranks_take_their_places_from_the_variables_of_srun(alone, tmp_path):
    """No SLURM here: two machines of one process each, told so as srun does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = {"SLURM_STEP_NUM_TASKS": 2, "SLURM_NTASKS": 2, "SLURM_NTASKS_PER_NODE": 1}
    said |= {"SLURM_NNODES": 2, "SLURM_JOB_ID": 7, "SLURM_NODELIST": "127.0.0.1"}
    said |= {"SLURM_JOB_NAME": "train", "SLURM_LOCALID": 0, "MASTER_PORT": port}
    where = [tmp_path / str(rank) for rank in range(2)]
    processes = []
    for rank, folder in enumerate(where):
        folder.mkdir()
        mine = {**said, "SLURM_PROCID": rank, "SLURM_NODEID": rank}
        words = typed(*EVERYTHING, TWO, "trainer.devices=1", "trainer.num_nodes=2")
        command = [sys.executable, "-m", "fewstep", "train", *words]
        env = {**os.environ, **{name: str(value) for name, value in mine.items()}}
        processes.append(subprocess.Popen(command, cwd=folder, env=env))
    finished(*processes)
    (folder,) = (where[0] / "outputs" / "runs").glob("*/*")
    assert not list(where[1].iterdir())  # the other machine has not even a folder
    same(alone, Run(folder))


# --- the end of one is the end of all


LONG = typed(*TINY, "eval.val_every=null", "max_meta_iterations=100000", TWO, "hydra.run.dir=here")


DEAF = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
"""Where a script starts something in the background, it does not hear of Ctrl-C."""


@pytest.fixture
def under_way(tmp_path, request):
    """A two-rank run that has begun to train, and its two ranks; nothing of it survives."""
    command = [*getattr(request, "param", []), sys.executable, "-m", "fewstep", "train", *LONG]
    with (tmp_path / "log").open("w") as log:
        starter = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    while not (tmp_path / "here" / "metrics.csv").exists():
        assert starter.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.2)
    children = Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text()
    pids = sorted(int(word) for word in children.split())
    yield starter, pids
    for pid in (starter.pid, *pids):
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    end = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.2)
    return not any(map(alive, pids))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_ranks_and_keeps_what_there_is(under_way, tmp_path, number):
    starter, pids = under_way
    starter.send_signal(number)
    assert starter.wait(60) == 1
    assert all_gone(pids)
    log = (tmp_path / "log").read_text()
    assert f"fewstep: stopped. Continue with: fewstep train resume={tmp_path / 'here'}" in log or (
        f"fewstep: stopped. There is no checkpoint in {tmp_path / 'here'}" in log
    )
    assert "Connection closed" not in log


@pytest.mark.slow
@pytest.mark.parametrize("under_way", [DEAF], indirect=True)
def test_it_stops_at_once_in_the_background_of_a_script(under_way, tmp_path):
    """And not when its rank zero, deaf as well, misses the others that were taken from it."""
    starter, pids = under_way
    came = time.monotonic()
    starter.send_signal(signal.SIGTERM)
    assert starter.wait(60) == 1
    assert time.monotonic() - came < ANSWER
    assert all_gone(pids)
    assert f"train resume={tmp_path / 'here'}" in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies_ends_the_run_and_is_named(under_way, tmp_path, rank):
    starter, pids = under_way
    os.kill(pids[rank], signal.SIGKILL)
    assert starter.wait(60) == 1
    assert all_gone(pids)
    log = (tmp_path / "log").read_text()
    assert f"fewstep: rank {rank} of 2 was killed by signal 9 (SIGKILL). There is no" in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_ranks_do_not_outlive_what_started_them(under_way):
    starter, pids = under_way
    starter.kill()
    starter.wait()
    assert all_gone(pids)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_somebody_has_stopped_does_not_keep_the_run_from_ending(
    under_way, tmp_path, rank
):
    starter, pids = under_way
    os.kill(pids[rank], signal.SIGSTOP)
    time.sleep(1)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        starter.send_signal(number)
        time.sleep(0.1)
    assert starter.wait(90) == 1
    assert all_gone(pids)
    log = (tmp_path / "log").read_text()
    assert f"fewstep: stopped. Continue with: fewstep train resume={tmp_path / 'here'}" in log
    assert "Traceback" not in log
