"""The measurements of `fewstep bench`, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from fewstep.bench.clocks import in_turn, quartiles
from fewstep.bench.estimate import Need, estimate, refuse
from fewstep.bench.memory import available, process_peak
from fewstep.bench.operations import operations
from fewstep.bench.overhead import Overhead, overhead
from fewstep.bench.subject import Subject, open_subject
from fewstep.config import room
from fewstep.execution.base import CPU_THREADS
from fewstep.execution.choice import executions
from fewstep.run.experiment import Experiment
from fewstep.run.lightning import quiet_lightning


ROUNDS = 7
TURN_SECONDS = 0.5
OVERHEAD_ROUNDS = 5
PRODUCT = 1024
"""Rows and columns of the matrices whose product is the machine's yardstick."""


@dataclass(frozen=True)
class Figures:
    """What was measured of one configuration."""

    device: torch.device
    chosen: str
    """The execution that the configuration trains with."""
    tasks: int
    times: dict[str, tuple[float, float, float]]
    """Seconds of a meta-iteration's inner loops in each execution, quartiles."""
    peaks: dict[str, int]
    """Bytes that a meta-iteration's inner loops take at their peak, in each execution."""
    flops: int
    """Of a meta-iteration's convolutions and matrix products."""
    peak_rate: float
    """Floating-point operations a second of a large matrix product."""
    idle: int
    """Bytes of the process before the first meta-iteration."""
    free: int
    """Bytes that could be had then."""
    need: Need
    """What was estimated before anything was run."""
    overhead: Overhead


def measure(experiment: Experiment, free: int | None = None) -> Figures:
    """Time each execution that fits into `free` bytes (None: what there is) and what surrounds it.

    Raises:
        ConfigError: the execution that the configuration chooses does not fit.
    """
    quiet_lightning()
    subject = open_subject(experiment)
    device, chosen = subject.device, subject.learner.execution.name
    free = available(device) if free is None else free
    need, possible = estimate(subject), executions(subject.learner.execution.traits)
    refuse(need, possible, chosen, free, experiment.recipe)
    episodes, idle = next(subject.meta_batches()), room.resident(trim=True)
    turns, peaks = {}, {}
    for name, make in possible.items():
        if need.of(name) <= free:
            run = _turn(subject, make(subject.learner.module), episodes)
            peaks[name] = process_peak(run, device)
            turns[name] = run
    seconds = in_turn({**turns, "": lambda: _product(device)}, device, ROUNDS, TURN_SECONDS)
    times = {name: quartiles(values) for name, values in seconds.items()}
    rate = 2 * PRODUCT**3 / times.pop("")[1]
    return Figures(
        device=device,
        chosen=chosen,
        tasks=len(episodes),
        times=times,
        peaks=peaks,
        flops=len(episodes) * operations(subject, episodes[0]),
        peak_rate=rate,
        idle=idle,
        free=free,
        need=need,
        overhead=overhead(subject, times[chosen][1], OVERHEAD_ROUNDS),
    )


def _turn(subject: Subject, execution: Any, episodes: list) -> Callable[[], Any]:
    return lambda: subject.learner.directions(episodes, execution)


def _product(device: torch.device) -> torch.Tensor:
    torch.set_num_threads(CPU_THREADS)
    a = torch.ones(PRODUCT, PRODUCT, device=device)
    return a @ a
