"""From a command line to a run directory: everything that can be refused is refused first.

Hydra makes the run directory before our code runs, so configuration, data and checkpoints are
settled here, before Hydra is asked to start.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fewstep.config.arguments import read
from fewstep.config.compose import compose_config, conf_dir, plain, search_path
from fewstep.config.ranks import outside
from fewstep.config.trust import told
from fewstep.disk.files import CannotWrite
from fewstep.disk.lock import held
from fewstep.launch.job import run as run_job
from fewstep.launch.resume import keep
from fewstep.launch.settling import Command, settled
from fewstep.launch.stopping import how_to_go_on, stoppable
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.processes import signals
from fewstep.processes.children import here_last, same_modules
from fewstep.processes.rank_watch import RankFailed


FULL_ERROR = "HYDRA_FULL_ERROR"
"""The variable by which Hydra lets an exception through instead of printing it."""


def launch(command: Command, words: Sequence[str]) -> int:
    """Run a command with the words of its command line and return its exit status."""
    here_last()
    with signals.listening():
        return _launch(command, words)


def _launch(command: Command, words: Sequence[str]) -> int:
    try:
        arguments = command.prepare(read(command.name, words))
        more, folder = settled(command, arguments)
        line = shlex.join(["fewstep", command.name, *words])
        if (others := outside()) and others.rank > 0 and not arguments.shows:
            # Rank zero has the run directory, and Hydra would make another one here.
            config = compose_config(command.name, [*arguments.overrides, *more])
            command.job(plain(config), Path.cwd(), line)
            return 0
        sys.argv = [f"fewstep-{command.name}", *arguments.flags, *arguments.overrides]
        sys.argv += [*search_path(), *more]
        if arguments.sweep and not arguments.shows:
            return _sweep(command, line)
        with held(folder) if folder else nullcontext():
            _hydra_main(command, line, is_held=bool(folder))
    except ConfigError as error:
        return complain(told(error, command.name, words))
    except (CannotWrite, RankFailed) as error:
        return complain(error, status=1)
    except KeyboardInterrupt:
        return complain("stopped", status=1)
    return 0


def complain(error: Exception | str, status: int = 2) -> int:
    """Tell the user what to change, without a traceback; the exit status. A list has a line for
    each of its entries, which are set in."""
    text = "\n  ".join(map(printable, str(error).split("\n  ")))
    print(f"fewstep: {text}", file=sys.stderr)
    return status


def _sweep(command: Command, line: str) -> int:
    """Run a sweep to its end, whatever becomes of its jobs; the exit status."""
    from fewstep.launch.job_folders import summary
    from fewstep.launch.supervisor import supervised

    with same_modules(), supervised(command.digests) as jobs:
        try:
            _hydra_main(command, line, sweep=True)
        except KeyboardInterrupt:
            done = sum(job.finished for job in jobs)
            print(f"\nstopped: {done} of {len(jobs)} jobs are finished; the same command goes on")
            return 130
        except ConfigError:
            raise
        except Exception as error:  # of the sweeper: a job's own is in its record
            print(f"\n{summary(jobs)}")
            return complain(error)
    print(f"\n{summary(jobs)}")
    return 0 if all(job.finished for job in jobs) else 1


def _hydra_main(command: Command, line: str, sweep: bool = False, is_held: bool = False) -> None:
    """Let Hydra run one job here, or a sweep of jobs in processes of their own."""

    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=command.name)
    def start(composed: DictConfig) -> Any:
        config, folder = plain(composed), Path(HydraConfig.get().runtime.output_dir)
        try:
            with nullcontext() if sweep or is_held else held(folder):
                keep(folder, config, HydraConfig.get().overrides.task)
                if sweep:
                    return run_job(command.module, folder, line)
                with stoppable(folder):
                    return command.job(config, folder, line)
        except ConfigError:
            os.environ[FULL_ERROR] = "1"  # let it through to `launch`, which prints it
            raise
        except (CannotWrite, RankFailed) as error:
            os.environ[FULL_ERROR] = "1"
            raise type(error)(f"{error}. {how_to_go_on(folder)}") from None

    before = os.environ.get(FULL_ERROR, "0")
    os.environ[FULL_ERROR] = "1" if sweep else before  # so that there is a summary anyway
    try:
        start()
    finally:
        os.environ[FULL_ERROR] = before
