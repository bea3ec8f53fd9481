"""The processes of a run on several devices, one rank for each, and how they are started.

`torchrun` and SLURM's `srun` start every rank with the user's own command line, and each of them
takes its place. Otherwise the ranks are started here, from the configuration in the run directory:
the command line may be that of a whole sweep. No rank shares a process with what started it, so
that a job of a sweep leaves nothing behind for the next one.
"""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


Config = Mapping[str, Any]

GRACE = 10.0
"""Seconds that rank zero has to close what it has open when another rank has failed."""
HUSH = 1.0
"""Seconds that another rank keeps its error to itself: if rank zero's end was the cause, it is
stopped before it has told it as its own."""


@dataclass(frozen=True)
class Outside:
    """This process's place among ranks that something else has started."""

    starter: str
    ranks: int
    rank: int


def outside() -> Outside | None:
    """What torchrun or srun says of this process; None where neither has started several."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        return Outside("torchrun", int(env["WORLD_SIZE"]), int(env["RANK"]))
    if int(env.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        return Outside("srun", int(env["SLURM_STEP_NUM_TASKS"]), int(env["SLURM_PROCID"]))
    return None


def count(trainer: Config) -> int:
    """The ranks of a run, on all machines."""
    return trainer["devices"] * trainer["num_nodes"]


def run(target: str, config: Config, folder: Path, line: str) -> dict[str, Any]:
    """Run a job in this process, or by ranks that are started for it; what results.json says.

    `target` is the `module:function` that takes `(config, folder, line)`; the folder has the
    configuration as config.yaml.

    Raises:
        RuntimeError: a rank failed; it has said why itself.
        SystemExit: the ranks were stopped by a signal.
    """
    ranks = count(config["trainer"])
    if ranks == 1 or outside():
        return pkgutil.resolve_name(target)(config, folder, line)
    from fewstep.execution import CPU_THREADS

    # Each rank has its share of the cores: with more threads than cores, they would wait for
    # each other inside every convolution.
    threads = max(1, CPU_THREADS // ranks)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    env |= {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "fewstep.ranks", target, str(folder), line]
    processes = [
        subprocess.Popen(
            command,
            env={**env, "LOCAL_RANK": str(rank)},  # from which Lightning knows the rest
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C comes to them through `_forwarded` alone
        )
        for rank in range(ranks)
    ]
    try:
        with _forwarded(processes[0]) as signals:
            failed = _wait(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if failed is not None:
        if signals:
            raise SystemExit(1)
        status = processes[failed].returncode
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise RuntimeError(f"rank {failed} of {ranks} {how}")
    return json.loads((folder / "results.json").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _forwarded(process: subprocess.Popen) -> Iterator[list[int]]:
    """Hand Ctrl-C and SIGTERM on to rank zero, which saves; the signals that came.

    The other ranks hear of neither: they would leave rank zero waiting for their share.
    """
    came: list[int] = []

    def forward(number: int, _: Any) -> None:
        came.append(number)
        process.send_signal(number)

    before = {n: signal.signal(n, forward) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[subprocess.Popen]) -> int | None:
    """Wait for all to end, or for rank zero and not much longer where one fails: which, if any."""
    failed, deadline = None, float("inf")
    while True:
        running = any(process.poll() is None for process in processes)
        bad = [rank for rank, process in enumerate(processes) if process.poll()]
        if bad and failed is None:
            failed, deadline = bad[0], time.monotonic() + GRACE
        if not running or 0 in bad or time.monotonic() > deadline:
            return failed
        time.sleep(0.05)


def main(words: Sequence[str]) -> int:
    """One rank, started by `run`; the exit status."""
    from omegaconf import OmegaConf

    target, folder, line = words
    threading.Thread(target=_leave_with_starter, daemon=True).start()
    config = OmegaConf.to_container(OmegaConf.load(Path(folder) / "config.yaml"))
    try:
        pkgutil.resolve_name(target)(config, Path(folder), line)
    except SystemExit:
        os._exit(1)
    except BaseException:
        if os.environ["LOCAL_RANK"] != "0":
            time.sleep(HUSH)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # at once: an orderly end may wait for ranks that wait for this one
    return 0


def _leave_with_starter() -> None:
    """End this rank when the process that started it is gone, however it went."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
