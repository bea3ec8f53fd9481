"""How far other estimators of MAML's gradient are from it: by order, inner rate and curvature.

Between first-order MAML, which takes every factor (I - a H_k) of the gradient for the identity, and
MAML lie the binomial estimates, which leave out products of many Hessians, and the truncated ones,
which leave out Hessians far from the end. Which is nearer hangs on K a lambda, how much the inner
loop bends: the first on small ones, the second on large ones. Beside them stand differences of
gradients, which see no bend of a ReLU, and the implicit gradient at the end of the path, drawn to
its start by 1 / (K a), as descent is that stops after K steps.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from fewstep.adapters.curvature import largest_curvature
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Prox
from fewstep.core.types import Episode, Params, Start
from fewstep.run.construction.assembly import opened
from fewstep.run.construction.build import build_tasks
from fewstep.run.experiment import Experiment
from fewstep.theory.problem import flat
from fewstep.theory.tables import ESTIMATES
from fewstep.theory.training import drafted, train


STEPS, ORDERS, TASKS = 5, (1, 2, 3, 4), 40
"""Inner steps, orders and tasks."""


@dataclass(frozen=True)
class Case:
    """A network and its tasks, before and after a training by MAML."""

    name: str
    words: tuple[str, ...]
    rates: tuple[float, ...]
    """Inner learning rates of the estimates."""
    meta_iterations: int
    """Of the training."""


SINE = Case(
    "sine waves",
    ("experiment=sine_maml", "trainer=cpu", "baselines.random=false"),
    (0.001, 0.005, 0.01, 0.02),
    1500,
)
CHARACTERS = Case(
    "characters",
    (
        *("algorithm=maml", f"algorithm.inner.steps={STEPS}", "meta_batch=16"),
        *("shots=5w1s", "shots.queries=15", "trainer=cpu", "model=omniglot_conv"),
    ),
    (0.01, 0.05, 0.1, 0.4),
    120,
)


def experiment_of(case: Case, words: Sequence[str]) -> Experiment:
    """The training of a case, checked and with its data open.

    Raises:
        ConfigError: data that is missing or damaged.
    """
    given = [*case.words, f"max_meta_iterations={case.meta_iterations}", *words]
    return opened(drafted(given))


def measured(case: Case, experiment: Experiment, tasks: int = TASKS) -> list[dict[str, Any]]:
    """A row for each inner rate, before and after the training, on tasks that it does not meet."""
    spec = replace(experiment.recipe.spec, steps=STEPS, batch_size=None)
    split = experiment.splits["train"].to("cpu", torch.float64)
    episodes = [split.episode(spec, experiment.seed + 1, i) for i in range(tasks)]
    rows = []
    for trained in (False, True):
        if trained:
            train(experiment, build_tasks(experiment))
        net = Net(copy.deepcopy(experiment.learner.net.module).double())
        problem = Problem(net, experiment.objective)
        bends = [bend(problem, episode) for episode in episodes]
        for rate in case.rates:
            found = [
                of_task(problem, episode, rate) | {"curvature": STEPS * rate * size}
                for episode, size in zip(episodes, bends, strict=True)
            ]
            about = {"case": case.name, "trained": trained, "rate": rate, "tasks": tasks}
            rows.append(about | _summary(found))
    return rows


def bend(problem: Problem, episode: Episode) -> float:
    """The largest curvature of a task where it starts, whatever the rate."""
    one = InnerLoop(SGD(0.0), 1)
    return float(largest_curvature(Path(one, problem, Start(problem.net.params(), {}), episode)))


def of_task(problem: Problem, episode: Episode, rate: float) -> dict[str, Any]:
    """Relative errors in one task, by estimator."""
    inner, params = InnerLoop(SGD(rate), STEPS), problem.net.params()
    path = Path(inner, problem, Start(params, {}), episode)
    _, v = path.query_gradient()
    exact = flat(Binomial(inner, order=STEPS).pull_back(path, v))

    def error(estimate: Params) -> float:
        return float((flat(estimate) - exact).norm() / exact.norm())

    def binomial(order: int, window: int | None = None) -> float:
        return error(Binomial(inner, order, window).pull_back(path, v))

    drawn = InnerLoop(Prox(rate, 1 / (STEPS * rate)), STEPS)
    return {
        "first_order": error(v),
        "hessian_free": error(HessianFree(inner).pull_back(path, v)),
        "implicit": error(IMAML(drawn).pull_back(path, v)),
        "binomial": [binomial(order) for order in ORDERS],
        "truncated": [binomial(order, order) for order in ORDERS],
    }


def _summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians over tasks, and in how many of them the binomial estimate is the nearer."""
    kinds = {
        kind: [statistics.median(f[kind][i] for f in found) for i in range(len(ORDERS))]
        for kind in ("binomial", "truncated")
    }
    nearer = [
        statistics.fmean(f["binomial"][i] < f["truncated"][i] for f in found)
        for i in range(len(ORDERS))
    ]
    single = {key: statistics.median(f[key] for f in found) for key in ("curvature", *ESTIMATES)}
    return {**single, **kinds, "binomial_nearer": nearer}
