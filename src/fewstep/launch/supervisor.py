"""A sweep that survives its jobs, whatever sweeper asks for them, whatever launcher runs them."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf, open_dict

from fewstep.disk.lock import held, in_use
from fewstep.launch.job_folders import Digests, Folders, Job
from fewstep.messages.words import quoted
from fewstep.processes import signals
from fewstep.records.job_record import RECORD, read_record


log = logging.getLogger(__name__)

GRACE = 30
"""Seconds without any job at work after which a launcher that gave up is believed."""


class Supervised(Launcher):
    """Gives a launcher only what is left to do, and outlives what it raises."""

    end_jobs: Callable[[], None] = staticmethod(lambda: None)
    """Takes from the jobs the permission to work."""

    def __init__(
        self,
        inner: Launcher,
        config: DictConfig,
        context: Any,
        jobs: list[Job],
        digests: Digests,
    ) -> None:
        """`jobs` is added to, for whoever sums up the sweep."""
        self.inner, self.config, self.context, self.jobs = inner, config, context, jobs
        self.folders = Folders(Path(config.hydra.sweep.dir), digests)

    def setup(self, **_: Any) -> None:
        """The launcher inside is set up already."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run what is not finished; a return value of None is a failure."""
        jobs = [self._job(words, initial_job_idx + i) for i, words in enumerate(job_overrides)]
        self.jobs += jobs
        left = [job for job in jobs if not job.before]
        for job in left:
            (job.folder / RECORD).unlink(missing_ok=True)
        if before := len(jobs) - len(left):
            log.info(f"{before} of {len(jobs)} jobs are finished already and are not run again")
        if left:
            self._launch(left, initial_job_idx)
        done = JobStatus.COMPLETED
        return [JobReturn(job.overrides, status=done, _return_value=job.objective) for job in jobs]

    def _job(self, words: Sequence[str], number: int) -> Job:
        loader = self.context.config_loader
        composed = loader.load_sweep_config(self.config, list(words))
        with open_dict(composed):
            del composed["hydra"]
        config: Any = OmegaConf.to_container(composed, resolve=True)
        folder = self.folders.claim(config, number)
        again = config.get("resume") == "auto"  # as every job of a sweep does by itself
        before = (folder / "results.json").exists()
        return Job(folder, [*words, *["resume=null"] * again], before)

    def _launch(self, jobs: Sequence[Job], initial_job_idx: int) -> None:
        words = [[*job.overrides, *self._place(job)] for job in jobs]
        with signals.instead(self.end_jobs):
            try:
                with _deaf_controllers():
                    returns = self.inner.launch(words, initial_job_idx=initial_job_idx)
            except Exception as error:  # a process of its own was killed; jobs may be at work
                _wait(jobs)
                reason = str(error).strip().splitlines()[-1:]
                for job in jobs:
                    job.trouble = ": ".join([type(error).__name__, *reason])
                returns = []
            finally:
                _wait_for_the_stopped(jobs)
        signals.proceed()
        if not returns:
            return
        for job, returned in zip(jobs, returns, strict=True):
            if returned.status == JobStatus.FAILED:
                job.trouble = str(returned._return_value)  # without raising it

    def _place(self, job: Job) -> list[str]:
        """Overrides that put a job where it belongs, and have it go on where it was cut off."""
        place = [f"hydra.sweep.dir={quoted(str(job.folder.parent.resolve()))}"]
        place.append(f"hydra.sweep.subdir='{job.folder.name}'")
        if any((job.folder / "checkpoints").glob("*.ckpt")):
            place.append(f"resume={quoted(str(job.folder.resolve()))}")
        return place


@contextmanager
def _deaf_controllers() -> Iterator[None]:
    """Inside, the processes by which Submitit watches jobs on this machine do not hear Ctrl-C,
    at which they would end with a traceback before the jobs have saved."""
    try:
        from submitit.local import local
    except ImportError:
        yield
        return
    original = local.start_controller

    def start(*args: Any, **more: Any) -> Any:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return original(*args, **more)
        finally:
            signal.signal(signal.SIGINT, before)

    local.start_controller = start
    try:
        yield
    finally:
        local.start_controller = original


def _wait_for_the_stopped(jobs: Sequence[Job]) -> None:
    """Where the sweep was told to stop, until every job has saved."""
    while signals.asked() and any(in_use(job.folder) for job in jobs):
        time.sleep(0.1)


def _wait(jobs: Sequence[Job]) -> None:
    """Until every job has a record, or none has been at work for a while."""
    quiet = 0
    while quiet < GRACE and not all(read_record(job.folder) for job in jobs):
        if signals.asked():
            return
        quiet = 0 if any(in_use(job.folder) for job in jobs) else quiet + 1
        time.sleep(1)


@contextmanager
def supervised(digests: Digests) -> Iterator[list[Job]]:
    """Inside, every launcher that Hydra makes is `Supervised`; the list of the sweep's jobs.

    Hydra has no hook around a launch, and takes launchers from installed plugins alone.

    Raises:
        ConfigError: another process runs this sweep.
    """
    jobs: list[Job] = []
    original = Plugins.instantiate_launcher
    with ExitStack() as stack:

        def instantiate(self: Plugins, *, config: DictConfig, **more: Any) -> Launcher:
            folder = Path(config.hydra.sweep.dir)
            folder.mkdir(parents=True, exist_ok=True)
            permission = stack.enter_context(ExitStack())
            permission.enter_context(held(folder))
            inner = original(self, config=config, **more)
            supervised = Supervised(inner, config, more["hydra_context"], jobs, digests)
            supervised.end_jobs = permission.close
            return supervised

        Plugins.instantiate_launcher = instantiate
        try:
            yield jobs
        finally:
            Plugins.instantiate_launcher = original
