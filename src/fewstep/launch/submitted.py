"""Submitit, told what a sweep needs that outlives its jobs, and is stopped with them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus


@contextmanager
def outlived() -> Iterator[None]:
    """Inside, a job that was lost is waited for as the others are: also those that are queued.

    The launcher asks one job after another for its result, and at the first one that has none it
    would leave those behind it to themselves. The processes by which Submitit watches jobs on this
    machine do not hear Ctrl-C, at which they would end with a traceback before the jobs have saved.
    """
    try:
        from submitit.core import core
        from submitit.local import local
    except ImportError:
        yield
        return
    results, start = core.Job.results, local.start_controller
    core.Job.results, local.start_controller = _or_failed(results), _deaf(start)
    try:
        yield
    finally:
        core.Job.results, local.start_controller = results, start


def _or_failed(original: Any) -> Any:
    def results(job: Any) -> list[Any]:
        try:
            return original(job)
        except Exception as error:  # it left no result, or one that cannot be read
            return [JobReturn(status=JobStatus.FAILED, _return_value=error)]

    return results


def _deaf(original: Any) -> Any:
    def start(*args: Any, **more: Any) -> Any:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return original(*args, **more)
        finally:
            signal.signal(signal.SIGINT, before)

    return start
