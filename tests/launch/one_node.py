"""A SLURM of one node on this machine, from Debian's slurmctld, slurmd and munge, for a test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "srun")

SBIN = os.pathsep.join(["/usr/sbin", "/sbin"])

CONF = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=6
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000
PartitionName=here Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""`cred_expire` is what a requeued job waits for, two minutes otherwise."""


def missing() -> str | None:
    """Why there is no SLURM to be had here; None where there is."""
    if os.geteuid():
        return "SLURM's daemons are started by root alone"
    without = [name for name in PROGRAMS if not found(name)]
    packages = "apt-get install slurmctld slurmd slurm-client munge"
    return f"no {', '.join(without)} here: {packages}" if without else None


def found(name: str) -> str | None:
    """Where a program is, those of the system's administrator included."""
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], SBIN]))


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Inside, a SLURM is at work in `folder`; the variables by which its commands find it."""
    host = os.uname().nodename.partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, ports=[free_port(), free_port()]))
    variables = {"SLURM_CONF": str(conf)}
    env = {**os.environ, **variables}
    socket_file = folder / "munge.socket"
    with ExitStack() as ends:
        for command in (
            _munged(folder, socket_file),
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", host],
        ):
            ends.enter_context(_daemon(command, env, folder))
            if command[0] == "munged":
                _until(socket_file.exists, "munged makes no socket")
        _until(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], env), "no node is idle")
        try:
            yield variables
        finally:
            _said(["scancel", "--user=root", "--signal=KILL"], env)
            _said(["scancel", "--user=root"], env)
            _until(lambda: not _said(["squeue", "-h"], env).strip(), "jobs that do not end")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _munged(folder: Path, at: Path) -> list[str]:
    (folder / "key").write_bytes(os.urandom(128))
    (folder / "key").chmod(0o400)
    files = {"key-file": "key", "pid-file": "munged.pid", "log-file": "munged.log"}
    files["seed-file"] = "munged.seed"
    named = [f"--{option}={folder / name}" for option, name in files.items()]
    return ["munged", "--foreground", "--force", f"--socket={at}", *named]


@contextmanager
def _daemon(command: list[str], env: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("w") as out:
        words = [found(command[0]), *command[1:]]
        process = subprocess.Popen(words, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return done.stdout


def _until(condition, otherwise: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)
