"""One job of a sweep, in a process of its own, whatever launcher started it.

So a job that is killed takes neither its launcher nor its neighbours along, its memory is given
back when it ends, and somebody is left to say what became of it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from fewstep.disk.files import CannotWrite
from fewstep.disk.lock import held
from fewstep.disk.reading import reading
from fewstep.launch.stopping import stoppable
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError
from fewstep.processes import children, console, signals, tether
from fewstep.processes.rank_watch import RankFailed
from fewstep.records.job_record import CUT_SHORT, RECORD, read_record, write_record
from fewstep.records.outcome import finished


PATIENCE = 30
"""Seconds in which a job that was interrupted has to save what it has."""


def run(module: str, folder: Path, line: str) -> float | None:
    """Run the job whose config.yaml is in `folder` and wait for it; its objective, if it has one.

    `module` has the command's `settle` and `job`, `line` is what the user typed. The record is in
    `folder` then.

    Raises:
        KeyboardInterrupt: this process runs the sweep, and has been told to stop.
    """
    if tether.cut(folder.parent):  # a launcher goes on with what it was given
        signals.proceed()
        tether.leave_with(folder.parent)
        return None
    (folder / RECORD).unlink(missing_ok=True)  # of what a cluster has stopped and starts again
    child = children.start("fewstep.launch.job", [module, str(folder), line], {})
    try:
        status = _wait(child)
    finally:
        child.kill()
        child.communicate()  # it is over, and the pipe to it is closed
    signals.proceed()
    tether.leave_with(folder.parent)
    if not read_record(folder) and not finished(folder):
        write_record(folder, "failed", _end(status))
    return read_record(folder).get("objective")


def _wait(child: subprocess.Popen) -> int:
    """Wait for a job; what interrupts the wait stops the job, which saves what it has."""
    if threading.current_thread() is threading.main_thread() and not signals.heard():
        # In a launcher's own process: Ctrl-C comes to the job through the one that runs the sweep.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return child.wait()
    except BaseException:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
        raise


def _end(status: int) -> str:
    """What happened to a process that left no word."""
    if status < 0:
        return f"killed by signal {-status} ({signal.Signals(-status).name})"
    return f"its process ended with status {status} and no result"


def main(words: Sequence[str]) -> int:
    """The job's own process: a command's module, its run directory, what the user typed."""
    module, folder, line = words[0], Path(words[1]), words[2]
    with signals.listening(to_all=True):
        # Submitit's notice that the time is nearly up: save and stop.
        signal.signal(signal.SIGUSR2, lambda *_: signals.tell())
        tether.hold_to_parent()
        tether.hold_to_sweep(folder.parent)
        try:
            with held(folder):
                objective = _work(module, folder, line)
                write_record(folder, "finished", objective=objective)
        except (SystemExit, KeyboardInterrupt):  # the first has said how to go on
            write_record(folder, "stopped", CUT_SHORT)
            return 1
        except (ConfigError, CannotWrite, RankFailed) as error:
            status = complain(error)
            write_record(folder, "failed", str(error))
            return status
        except Exception as error:
            if signals.became(error):
                write_record(folder, "stopped", CUT_SHORT)
                return 1
            traceback.print_exc()
            reason = " ".join("".join(traceback.format_exception_only(error)).split())
            write_record(folder, "failed", reason)
            return 1
    return 0


def _work(module: str, folder: Path, line: str) -> float | None:
    from omegaconf import OmegaConf

    _be_where_hydra_is(folder / ".hydra" / "hydra.yaml")
    config: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    command = import_module(module)
    with reading():
        command.settle(config)  # data and checkpoints of this job
    with stoppable(folder):
        return command.job(config, folder, line)


def _be_where_hydra_is(file: Path) -> None:
    """Let the job read from `HydraConfig` what it would read in the launcher's process."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.utils import setup_globals
    from omegaconf import OmegaConf

    setup_globals()
    if file.is_file():  # hydra.output_subdir=null leaves it out
        # Not by `set_config`, which wants what the file has lost, its types.
        HydraConfig.instance().cfg = OmegaConf.load(file)  # pyright: ignore[reportAttributeAccessIssue]


if __name__ == "__main__":
    sys.exit(console.run(main))
