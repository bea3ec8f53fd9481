"""From a command line to a run directory: everything that can be refused is refused first.

A run directory is made when configuration, data and checkpoints are settled, and not before.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fewstep.config.arguments import read
from fewstep.config.compose import compose_config, own_part, plain
from fewstep.config.ranks import outside
from fewstep.config.trust import text_of
from fewstep.disk.files import CannotWrite
from fewstep.disk.lock import held
from fewstep.disk.reading import reading
from fewstep.launch import through_hydra
from fewstep.launch.job import run as run_job
from fewstep.launch.job_folders import summary
from fewstep.launch.resume import cut_off, keep
from fewstep.launch.settling import Command, check_folder_keys, settled, settled_sweep
from fewstep.launch.stopping import how_to_go_on, stoppable
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError
from fewstep.messages.words import quoted
from fewstep.processes import signals
from fewstep.processes.children import here_last, same_modules
from fewstep.processes.rank_watch import RankFailed


def launch(command: Command, words: Sequence[str]) -> int:
    """Run a command with the words of its command line and return its exit status."""
    here_last()
    with signals.listening():
        return _launch(command, words)


def _launch(command: Command, words: Sequence[str]) -> int:
    try:
        with reading(words):
            arguments = command.prepare(read(command.name, words))
        line = shlex.join(["fewstep", command.name, *words])
        if arguments.shows:
            compose_config(command.name, arguments.overrides, complete=False)
            through_hydra.show(command.name, arguments.flags, arguments.overrides)
            return 0
        check_folder_keys(arguments)
        if arguments.sweep:
            return _sweep(command, arguments.overrides, line)
        run_one(command, arguments.overrides, line)
    except ConfigError as error:
        if signals.became(error):
            return complain("stopped", status=1)
        return complain(text_of(error, command.name, words))
    except (CannotWrite, RankFailed) as error:
        return complain(error, status=1)
    except KeyboardInterrupt:
        return complain("stopped", status=1)
    return 0


def run_one(command: Command, overrides: list[str], line: str) -> Path | None:
    """One run, in this process and any that it starts for its devices; its directory, for those
    that made it.

    Raises:
        ConfigError: what cannot run, before anything is written.
        CannotWrite, RankFailed: with how to go on.
    """
    with reading(overrides):
        composed, goes_on = settled(command, overrides)
    if (others := outside()) and others.rank > 0:
        # Rank zero has the run directory, and Hydra would make another one here.
        command.job(plain(own_part(composed)), Path.cwd(), line)
        return None

    def task(composed: DictConfig) -> Any:
        hydra = HydraConfig.get()
        config, folder = plain(composed), Path(hydra.runtime.output_dir)
        try:
            with nullcontext() if goes_on else held(folder):
                keep(folder, config, hydra.overrides.task)
                with stoppable(folder):
                    return command.job(config, folder, line)
        except (CannotWrite, RankFailed) as error:
            raise type(error)(f"{error}. {how_to_go_on(folder)}") from None

    with held(Path(composed.hydra.run.dir)) if goes_on else nullcontext():
        through_hydra.run(composed, command.name, task)
    return Path(composed.hydra.run.dir).absolute()


def _sweep(command: Command, overrides: list[str], line: str) -> int:
    """Run a sweep to its end, whatever becomes of its jobs; the exit status."""
    with reading(overrides):
        words = [*overrides, *settled_sweep(command, overrides)]
    module = command.module

    def task(composed: DictConfig) -> Any:
        hydra = HydraConfig.get()
        config, folder = plain(composed), Path(hydra.runtime.output_dir)
        again = cut_off(folder, config)
        more = [f"{key}={quoted(value)}" for key, value in again.items()]
        keep(folder, config | again, [*hydra.overrides.task, *more])
        return run_job(module, folder, line)

    asked = command.name, words, command.digests, command.following
    with same_modules(), through_hydra.sweep(*asked) as (sweep, go):
        jobs = sweep.jobs
        try:
            go(task)
        except KeyboardInterrupt:
            done = sum(job.finished for job in jobs)
            print(f"\nstopped: {done} of {len(jobs)} jobs are finished; the same command goes on")
            return 130
        except ConfigError:
            raise
        except Exception as error:  # of the sweeper: a job's own is in its record
            print(f"\n{summary(jobs)}")
            if jobs and not any(job.finished for job in jobs):
                return 1  # a search has no best of nothing, which the summary says better
            return complain(error)
    print(f"\n{summary(jobs)}")
    return 0 if all(job.finished for job in jobs) else 1
