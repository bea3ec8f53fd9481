"""A search that is kept in a database goes on where it was left, as the jobs of a sweep do."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from omegaconf import DictConfig, open_dict, read_write


def go_on(sweeper: DictConfig) -> None:
    """Prepare Optuna's sweeper, and its study, for a search that was begun by an earlier command.

    What was cut off or failed is asked for again first, so that its job goes on in its own folder.
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
    _ask_again(study, trials)
    sampler = sweeper.get("sampler") or {}
    if sampler.get("seed") is not None:
        with read_write(sweeper), open_dict(sweeper):
            sampler["seed"] += len(trials)


def _ask_again(study: Any, trials: list[Any]) -> None:
    """Queue what has no objective yet. A trial that looks cut off may be another process's on the
    same database: it is left as it is."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.trial import TrialState

    known = [trial.params for trial in trials if trial.state == TrialState.COMPLETE]
    known += [
        trial.system_attrs.get("fixed_params")
        for trial in trials
        if trial.state == TrialState.WAITING
    ]
    for trial in trials:
        lost = trial.state in (TrialState.RUNNING, TrialState.FAIL)
        if lost and trial.params and trial.params not in known:
            with warnings.catch_warnings():  # Optuna 2 calls experimental what 5 has not changed
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.enqueue_trial(trial.params)
            known.append(trial.params)
