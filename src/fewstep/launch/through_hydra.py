"""Hydra's running of a job, or of a sweep, whose configuration is composed and checked already.

It makes the folders, sets up logging and calls back whoever the configuration names. An error of
what it runs comes out as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.utils import run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fewstep.config.groups import VERSION_BASE, conf_dir, initialized, search_path
from fewstep.disk.files import writing
from fewstep.launch.job_folders import Digests, Following, nothing_follows
from fewstep.launch.search import go_on
from fewstep.launch.supervisor import Sweep, running, supervising
from fewstep.messages.words import quoted


Task = Callable[[DictConfig], Any]
"""What is run, given the configuration without Hydra's own part."""


def show(name: str, flags: Sequence[str], overrides: Sequence[str]) -> None:
    """Print what `--cfg` and its like ask for."""
    sys.argv = [f"fewstep-{name}", *flags, *overrides, *search_path()]
    hydra.main(**VERSION_BASE, config_path=str(conf_dir()), config_name=name)(lambda _: None)()


def amend(composed: DictConfig, values: dict[str, str]) -> None:
    """Set keys of a composed configuration as overrides of these values would have set them."""
    own = composed.hydra.overrides
    with read_write(composed.hydra), open_dict(composed):
        for key, value in values.items():
            OmegaConf.update(composed, key, value)
            words = own.hydra if key.startswith("hydra.") else own.task
            words.append(f"{key}={quoted(value)}")


def set_keys(composed: DictConfig, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Set keys that follow from others, so that no override says them; the same values."""
    with open_dict(composed):
        for key, value in values.items():
            OmegaConf.update(composed, key, value)
    return values


def run(composed: DictConfig, name: str, task: Task) -> Any:
    """Run one job in its run directory; what it returns.

    Raises:
        CannotWrite: Hydra could not make its own files there; what the job raises comes as it is.
    """
    with initialized(), read_write(composed.hydra):
        composed.hydra.mode = RunMode.RUN
        context = _context(composed)
        context.callbacks.on_run_start(config=composed, config_name=name)
        with writing(Path(composed.hydra.run.dir)):  # what the job raises is in `done`
            done = run_job(task, composed, "hydra.run.dir", None, context)
        context.callbacks.on_run_end(config=composed, config_name=name, job_return=done)
        return done.return_value


@contextmanager
def sweep(
    name: str, overrides: Sequence[str], digests: Digests, following: Following = nothing_follows
) -> Iterator[tuple[Sweep, Callable]]:
    """A sweep whose folder is ours, and what runs it to its end, given the task of each job.

    Raises:
        ConfigError: another process runs it.
    """
    with initialized():
        composed = _hydra().compose_config(
            config_name=name,
            overrides=[*overrides, "hydra.mode=MULTIRUN", *search_path()],
            run_mode=RunMode.MULTIRUN,
            with_log_configuration=True,
        )
        with running(Path(composed.hydra.sweep.dir), digests, following) as sweep:

            def go(task: Task) -> None:
                _go(composed, name, task)

            yield sweep, go


def _go(composed: DictConfig, name: str, task: Task) -> None:
    words: Any = OmegaConf.to_container(composed.hydra.overrides.task, resolve=False)
    context = _context(composed)
    context.callbacks.on_multirun_start(config=composed, config_name=name)
    go_on(composed.hydra.sweeper, Path(composed.hydra.sweep.dir))
    with supervising(composed):
        sweeper = Plugins.instance().instantiate_sweeper(
            config=composed, hydra_context=context, task_function=task
        )
    sweeper.sweep(arguments=words)
    context.callbacks.on_multirun_end(config=composed, config_name=name)


def _context(composed: DictConfig) -> HydraContext:
    return HydraContext(config_loader=_hydra().config_loader, callbacks=Callbacks(composed))


def _hydra() -> Any:
    return GlobalHydra.instance().hydra
