"""A search that is kept in a database goes on where it was left, as the jobs of a sweep do."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict, read_write

from fewstep.launch.job_folders import Job
from fewstep.records.asked import read_words
from fewstep.records.run_folders import OVERRIDES, jobs


def go_on(sweeper: DictConfig, sweep: Path) -> None:
    """Prepare Optuna's sweeper, and its study, for a search that was begun by an earlier command.

    What was cut off or failed is asked for again first, so that its job goes on in its own folder
    of the `sweep`; what has finished there meanwhile is told to the study, and not asked for.
    The sampler's seed moves on by the trials that there are: by the same seed again it would
    propose what it has proposed before.
    """
    storage, name = sweeper.get("storage"), sweeper.get("study_name")
    if not storage or not name:
        return
    import optuna

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it makes the tables of a new storage
    if name not in [study.study_name for study in optuna.get_all_study_summaries(storage)]:
        return
    study = optuna.load_study(study_name=name, storage=storage)
    trials = study.get_trials()
    _settle(study, trials, sweep)
    sampler = sweeper.get("sampler") or {}
    if sampler.get("seed") is not None:
        with read_write(sweeper), open_dict(sweeper):
            sampler["seed"] += len(trials)


def _settle(study: Any, trials: list[Any], sweep: Path) -> None:
    """Tell what has finished, and queue what has no objective yet. A trial that looks cut off may
    be another process's on the same database: it is left as it is."""
    from optuna.trial import TrialState

    known = [trial.params for trial in trials if trial.state == TrialState.COMPLETE]
    known += [
        trial.system_attrs.get("fixed_params")
        for trial in trials
        if trial.state == TrialState.WAITING
    ]
    done = _finished(sweep)
    for trial in trials:
        lost = trial.state in (TrialState.RUNNING, TrialState.FAIL)
        if not lost or not trial.params or trial.params in known:
            continue
        known.append(trial.params)
        job = next((job for job in done if _words(trial) <= {*job.overrides}), None)
        if job is None:
            with _as_in_later_versions():
                study.enqueue_trial(trial.params)
        elif job.objective is not None:
            _tell(study, trial, job.objective)


def _finished(sweep: Path) -> list[Job]:
    """The jobs of a sweep that are finished."""
    found = [Job(folder, read_words(folder / OVERRIDES) or []) for folder in jobs(sweep)]
    return [job for job in found if job.finished]


def _words(trial: Any) -> set[str]:
    """What the sweeper has asked its job for: what was proposed, and what all trials have."""
    return {f"{name}={value}" for name, value in {**trial.params, **trial.user_attrs}.items()}


def _tell(study: Any, trial: Any, value: float) -> None:
    """Add what a trial has found: one that counts as failed takes no figure any more."""
    from optuna.trial import create_trial

    parts = {n: getattr(trial, n) for n in ("params", "distributions", "user_attrs")}
    with _as_in_later_versions():
        study.add_trial(create_trial(value=value, **parts))


@contextmanager
def _as_in_later_versions() -> Iterator[None]:
    """Optuna 2 calls experimental what 5 has not changed."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
