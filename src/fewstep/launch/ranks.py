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
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from fewstep.config.ranks import count, outside
from fewstep.disk.files import CannotWrite
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError
from fewstep.processes import children, console, signals, tether
from fewstep.processes.rank_watch import GRACE, LEFT, RankFailed, cause, tell, wait


Config = Mapping[str, Any]

HUSH = 1.0
"""Seconds that another rank keeps its error to itself: if rank zero's end was the cause, it is
stopped before it has told it as its own."""


def run(target: str, config: Config, folder: Path, line: str) -> dict[str, Any]:
    """Run a job in this process, or by ranks that are started for it; what results.json says.

    `target` is the `module:function` that takes `(config, folder, line)`; the folder has the
    configuration as config.yaml.

    Raises:
        RankFailed: a rank failed; unless it was killed, it has said why itself.
        SystemExit: the ranks were stopped by a signal.
    """
    ranks = count(config["trainer"])
    if ranks == 1 or outside():
        return pkgutil.resolve_name(target)(config, folder, line)
    from fewstep.execution.base import CPU_THREADS

    # Each rank has its share of the cores: with more threads than cores, they would wait for
    # each other inside every convolution.
    threads = max(1, CPU_THREADS // ranks)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    env |= {"OMP_NUM_THREADS": str(threads)}
    processes = [
        # From LOCAL_RANK Lightning knows the rest.
        children.start(
            "fewstep.launch.ranks", [target, str(folder), line], {**env, "LOCAL_RANK": str(n)}
        )
        for n in range(ranks)
    ]
    stops: list[float] = []
    try:
        with signals.instead(lambda: tell(processes, stops)):
            wait(processes, stops)
            statuses = [process.poll() for process in processes]
    finally:
        for process in processes:
            process.kill()  # also one that is stopped and hears of nothing else
            process.communicate()  # it is over, and the pipe to it is closed
    if any(statuses) or None in statuses:
        if stops:
            raise SystemExit(1)
        raise RankFailed(cause(statuses))
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(words: Sequence[str]) -> int:
    """One rank, started by `run`; the exit status."""
    from omegaconf import OmegaConf

    from fewstep.execution import collectives

    target, folder, line = words
    first = os.environ["LOCAL_RANK"] == "0"
    with signals.listening(to_all=True):
        if first:
            tether.hold_to_parent(GRACE)
        else:  # stopping is rank zero's business, which then wants this one's share no more
            signals.ignore()
            tether.hold_to_parent(2 * GRACE)
        try:
            config = OmegaConf.to_container(OmegaConf.load(Path(folder) / "config.yaml"))
            pkgutil.resolve_name(target)(config, Path(folder), line)
        except (SystemExit, KeyboardInterrupt):
            os._exit(1)
        except BaseException as error:
            _fail(error, first)
    collectives.leave()
    if not first:  # which has nothing left to write, and whose libraries' threads may still run
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _fail(error: BaseException, first: bool) -> NoReturn:
    """Say what has happened, if that is this rank's own story, and end."""
    if not first:
        time.sleep(HUSH)
    left = _of_others(error)
    if isinstance(error, (ConfigError, CannotWrite)):
        complain(error)
    elif not left:
        traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(LEFT if left else 1)  # at once: an orderly end may wait for ranks that wait for this


def _of_others(error: BaseException) -> bool:
    """Whether it was raised where ranks exchange what they have: one is gone or does not answer."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return any("/torch/distributed/" in frame.filename for frame in last)


if __name__ == "__main__":
    sys.exit(console.run(main))
