"""What surrounds the inner loops, and what of it Lightning and logging add to a bare loop."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fewstep.bench.clocks import quartiles, seconds
from fewstep.bench.subject import BareLoop, Subject
from fewstep.core.types import Episode
from fewstep.execution.base import Execution, PerTask
from fewstep.run.observers.stopwatch import WARM_UP
from fewstep.run.training import fit


TURN_SECONDS = 1.0
ITERATIONS = (5, 40)
"""At least and at most, in a turn."""


@dataclass(frozen=True)
class Overhead:
    """Shares of a meta-iteration's time, as quartiles over the rounds."""

    outside: tuple[float, float, float]
    """Of a training's meta-iteration, what is not spent in its inner loops: tasks are drawn, the
    outer step is taken, Lightning and the loggers run."""
    added: tuple[float, float, float]
    """What a training's meta-iteration takes beyond that of a bare loop that draws the same tasks,
    calls the same inner loops and takes the same outer step, as a share of the bare one."""


class _Timed:
    """An execution that notes how long each call takes, the device's work with it."""

    def __init__(self, execution: Execution, device: torch.device) -> None:
        self.execution, self.device = execution, device
        self.name, self.traits = execution.name, execution.traits
        self.calls: list[float] = []

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        return self._timed(self.execution.map, function, shared, episodes)

    def total(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> Any:
        return self._timed(self.execution.total, function, shared, episodes)

    def _timed(self, method: Callable[..., Any], *args: Any) -> Any:
        found: list[Any] = []
        self.calls.append(seconds(lambda: found.append(method(*args)), 1, self.device))
        return found[0]


def overhead(subject: Subject, meta_iteration: float, rounds: int) -> Overhead:
    """Train and loop in turn; `meta_iteration` is about how many seconds one takes.

    Validation, checkpoints and the first meta-iterations count for neither.
    """
    least, most = ITERATIONS
    iterations = WARM_UP + min(most, max(least, round(TURN_SECONDS / meta_iteration)))
    outside, added = [], []
    for round_ in range(rounds):
        turns = [training, bare_loop] if round_ % 2 else [bare_loop, training]
        times = {turn: turn(subject, iterations) for turn in turns}
        trained, inner = times[training]
        outside.append(1 - inner / trained)
        added.append(trained / times[bare_loop][0] - 1)
    return Overhead(quartiles(outside), quartiles(added))


def training(subject: Subject, iterations: int) -> tuple[float, float]:
    """Seconds of a meta-iteration of `fewstep train`, and of the inner loops in it."""
    learner, execution = subject.learner, subject.learner.execution
    learner.executing.made = timed = _Timed(execution, subject.device)
    learner.meta_iteration, learner.max_meta_iterations = 0, iterations
    own = subject.experiment
    quiet = replace(own.schedule, max_meta_iterations=iterations, val_every=None, test_every=None)
    experiment = replace(own, schedule=quiet, resume=None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            watch, _ = fit(experiment, subject.tasks, Path(folder), "bench")
    finally:
        learner.executing.made = execution
    counted = timed.calls[WARM_UP * len(timed.calls) // iterations :]
    return watch.warm_seconds / watch.meta_iterations, sum(counted) / watch.meta_iterations


def bare_loop(subject: Subject, iterations: int) -> tuple[float]:
    """Seconds of a meta-iteration of the same work in a plain loop."""
    meta_iteration, start = BareLoop(subject), 0.0
    for i in range(iterations):
        meta_iteration()
        if i + 1 == WARM_UP:
            start = time.perf_counter()
    return ((time.perf_counter() - start) / (iterations - WARM_UP),)
