"""All parts of section 5, one after another, as one record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

import fewstep
from fewstep.records.identity import git_commit
from fewstep.theory.averages import coefficients, identity, one_step
from fewstep.theory.expansions import slopes
from fewstep.theory.manifolds import near_manifolds
from fewstep.theory.parts import PARTS
from fewstep.theory.problem import FiniteProblem, sine_problem


ENUMERATED: dict[str, Callable[[FiniteProblem], Any]] = {
    "slopes": slopes,
    "coefficients": coefficients,
    "identity": identity,
    "joint": one_step,
}
"""The parts that are exact sums over the tasks and minibatches of one small problem."""


def compute(parts: Sequence[str], values: Mapping[str, Any], command: str) -> dict[str, Any]:
    """What theory.json holds: a header, and an entry for each part.

    Raises:
        ConfigError: data that is missing or damaged, before anything else is computed.
    """
    train = _training(values) if "alignment" in parts else None
    cases = _cases(values) if "estimators" in parts else None
    seed = values["seed"]
    figures: dict[str, Any] = {
        "schema": 1,
        "command": command,
        "seed": seed,
        "versions": {"fewstep": fewstep.__version__, "torch": str(torch.__version__)},
        "git_commit": git_commit(),
    }
    problem = sine_problem(seed)
    run: dict[str, Callable[[], Any]] = {n: partial(f, problem) for n, f in ENUMERATED.items()}
    run["manifolds"] = partial(near_manifolds, seed)
    if train is not None:
        run["alignment"] = train
    if cases is not None:
        run["estimators"] = cases
    for name in parts:
        print(f"{name}: {PARTS[name]}", file=sys.stderr)
        figures[name] = run[name]()
    return figures


def _training(values: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """The two trainings, checked and with their data open, yet to be run."""
    from fewstep.theory import alignment  # Lightning takes seconds, and only this part needs it

    given = ("seed", "dataset", "dataset.root", "max_meta_iterations")
    words = [f"{key}={values[key]}" for key in given if values[key] is not None]
    trainings = alignment.experiments(words)
    return lambda: alignment.during_training(trainings)


def _cases(values: Mapping[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """The networks and tasks of the estimates, with their data open, yet to be measured."""
    from fewstep.theory import estimators

    seed, given = [f"seed={values['seed']}"], ("dataset", "dataset.root")
    data = [f"{key}={values[key]}" for key in given if values[key] is not None]
    words = {estimators.SINE: seed, estimators.CHARACTERS: [*seed, *data]}
    made = [(case, estimators.experiment_of(case, own)) for case, own in words.items()]
    return lambda: [row for case, made_of in made for row in estimators.measured(case, made_of)]
