"""A sweep that survives its jobs, whatever sweeper asks for them, whatever launcher runs them."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fewstep.disk.lock import held, in_use
from fewstep.launch.job_folders import Digests, Folders, Following, Job, nothing_follows
from fewstep.launch.resume import keep
from fewstep.launch.submitted import outlived
from fewstep.messages.errors import ConfigError
from fewstep.messages.words import quoted
from fewstep.processes import signals
from fewstep.records.job_record import RECORD, read_record
from fewstep.records.outcome import finished
from fewstep.records.run_folders import OVERRIDES


log = logging.getLogger(__name__)

GRACE = 30
"""Seconds without any job at work after which a launcher that gave up is believed."""


PLUGIN = "hydra_plugins.fewstep_launcher.supervised.Supervised"


@dataclass
class Sweep:
    """One sweep under way."""

    folder: Path
    digests: Digests
    following: Following = nothing_follows
    jobs: list[Job] = field(default_factory=list)
    """Those that were asked for so far."""
    end_jobs: Callable[[], None] = lambda: None
    """Takes from the jobs the permission to work."""
    launcher: DictConfig | None = None
    """The node of the launcher that was asked for."""


_running: list[Sweep] = []
"""One at most. Hydra makes launchers from words alone, so they find their sweep here."""


@contextmanager
def running(
    folder: Path, digests: Digests, following: Following = nothing_follows
) -> Iterator[Sweep]:
    """Inside, launchers of the class below run the jobs of this sweep.

    Raises:
        ConfigError: another process runs it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as permission:
        permission.enter_context(held(folder))
        sweep = Sweep(folder, digests, following, end_jobs=permission.close)
        _running.append(sweep)
        try:
            yield sweep
        finally:
            _running.remove(sweep)


@contextmanager
def supervising(config: DictConfig) -> Iterator[None]:
    """Inside, a sweeper is made with ours for its launcher, which makes the one that was asked for
    inside of it. Afterwards the configuration says again what every job's says, as Hydra 1.4 wants.
    """
    (sweep,) = _running
    sweep.launcher = config.hydra.launcher
    with open_dict(config.hydra), read_write(config.hydra):
        config.hydra.launcher = {"_target_": PLUGIN}
        yield
        config.hydra.launcher = sweep.launcher


class Supervised(Launcher):
    """Gives a launcher only what is left to do, and outlives what it raises."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Make the launcher inside, as Hydra would have made it."""
        (self.sweep,) = _running
        own = copy.deepcopy(config)
        with open_dict(own.hydra), read_write(own.hydra):
            own.hydra.launcher = self.sweep.launcher
        self.inner = Plugins.instance().instantiate_launcher(hydra_context, task_function, own)
        self.config, self.context = own, hydra_context
        self.folders = Folders(self.sweep.folder, self.sweep.digests)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run what is not finished; a return value of None is a failure."""
        jobs = [self._job(words, initial_job_idx + i) for i, words in enumerate(job_overrides)]
        self.sweep.jobs += jobs
        left = [job for job in jobs if not job.before]
        for job in left:
            (job.folder / RECORD).unlink(missing_ok=True)
        if before := len(jobs) - len(left):
            log.info(f"{before} of {len(jobs)} jobs are finished already and are not run again")
        if left:
            self._launch(left, initial_job_idx)
        for job in jobs:
            job.complete()
        done = JobStatus.COMPLETED
        return [JobReturn(job.overrides, status=done, _return_value=job.objective) for job in jobs]

    def _job(self, words: Sequence[str], number: int) -> Job:
        loader = self.context.config_loader
        composed = loader.load_sweep_config(self.config, list(words))
        with open_dict(composed):
            del composed["hydra"]
        config: Any = OmegaConf.to_container(composed, resolve=True)
        following: Mapping[str, Any] = {}
        with suppress(ConfigError):  # the job itself says so
            following = self.sweep.following(config, [])
        folder = self.folders.claim({**config, **following}, number)
        again = config.get("resume") == "auto"  # as every job of a sweep does by itself
        before = finished(folder)
        if not (folder / OVERRIDES).exists():  # so that it is known what a job is that waits
            keep(folder, {**config, **following}, words)
        return Job(folder, [*words, *["resume=null"] * again], following, before)

    def _launch(self, jobs: Sequence[Job], initial_job_idx: int) -> None:
        words = [[*job.overrides, *self._place(job)] for job in jobs]
        with signals.instead(self.sweep.end_jobs):
            try:
                with outlived():
                    returns = self.inner.launch(words, initial_job_idx=initial_job_idx)
            except Exception as error:  # a process of its own was killed; jobs may be at work
                _wait(jobs)
                for job in jobs:
                    job.trouble = _said(error)
                returns = []
            finally:
                _wait_for_the_stopped(jobs)
        signals.proceed()
        if not returns:
            return
        for job, returned in zip(jobs, returns, strict=True):
            if returned.status == JobStatus.FAILED:
                job.trouble = _said(returned._return_value)  # without raising it
                _wait_while_saving(job)

    def _place(self, job: Job) -> list[str]:
        """Overrides that put a job where it belongs, and have it go on where it was cut off."""
        place = [f"hydra.sweep.dir={quoted(str(job.folder.parent.resolve()))}"]
        place.append(f"hydra.sweep.subdir='{job.folder.name}'")
        for key, value in job.following.items():
            place.append(f"{key}={quoted(value) if isinstance(value, str) else value}")
        if any((job.folder / "checkpoints").glob("*.ckpt")):
            place.append(f"resume={quoted(str(job.folder.resolve()))}")
        return place


def _said(error: Any) -> str:
    """The last line of what a launcher says of a job."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[-1:]])


def _wait_for_the_stopped(jobs: Sequence[Job]) -> None:
    """Where the sweep was told to stop, until every job has saved."""
    while signals.asked() and any(in_use(job.folder) for job in jobs):
        time.sleep(0.1)


def _wait_while_saving(job: Job) -> None:
    """A job whose launcher's process was killed notices that, and saves."""
    while in_use(job.folder) and not signals.asked():
        time.sleep(0.1)


def _wait(jobs: Sequence[Job]) -> None:
    """Until every job has a record, or none has been at work for a while."""
    quiet = 0
    while quiet < GRACE and not all(read_record(job.folder) for job in jobs):
        if signals.asked():
            return
        quiet = 0 if any(in_use(job.folder) for job in jobs) else quiet + 1
        time.sleep(1)
