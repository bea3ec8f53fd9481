"""Clocks: interleaved rounds, each peer at its best settings, and the machine's own rate."""

from __future__ import annotations

import copy
import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fewstep.core.types import Episode
from peers.side import LAYOUTS, Peer, Side
from peers.work import Work


QUALIFYING_TASKS = 4
"""Of a meta-test, when settings are chosen; a meta-batch has fewer anyway."""


@dataclass
class Contestant:
    """A side that is ready to be timed."""

    side: Side
    threads: int
    """Intra-op threads of the calling thread."""
    settings: str
    episodes: Sequence[Episode]

    def sample(self, work: Work, tasks: int | None = None, repeats: int | None = None) -> float:
        """Seconds for one meta-iteration (or one meta-test), from the initialization."""
        repeats = repeats or work.repeats
        torch.set_num_threads(self.threads)
        model, episodes = self.side.model, self.episodes[:tasks]
        outer = torch.optim.SGD(model.parameters(), lr=0.1)
        initial = copy.deepcopy(model.state_dict())
        gc.collect()
        began = time.perf_counter()
        for _ in range(repeats):
            if work.algorithm == "meta_test":
                self.side.meta_test(episodes)
            else:
                self.side.directions(episodes)
                outer.step()
        seconds = (time.perf_counter() - began) / repeats
        model.load_state_dict(initial)
        return seconds


def fewstep_as_it_is(side: type[Side], work: Work, threads: int) -> Contestant:
    """With its own choice of execution; no settings are tried."""
    torch.set_num_threads(threads)
    made = side(work, work.model())
    return Contestant(made, torch.get_num_threads(), "execution: auto", work.episodes())


def at_its_best(side: type[Peer], work: Work, threads: int, rounds: int = 3) -> Contestant:
    """A peer with the settings that suit it, of all that it has."""
    variants = []
    for settings in side.variants(work, threads):
        torch.set_num_threads(settings.threads)
        model = side.net(work).to(memory_format=LAYOUTS[settings.layout])
        made = side(work, model, settings)
        variants.append(Contestant(made, settings.threads, str(settings), work.episodes()))
    times: list[list[float]] = [[] for _ in variants]
    for _ in range(1 + rounds):  # the first one warms up
        for variant, seconds in zip(variants, times, strict=True):
            seconds.append(variant.sample(work, QUALIFYING_TASKS, repeats=1))
    lowest = [min(seconds[1:]) for seconds in times]
    return variants[lowest.index(min(lowest))]


def cores_of_others() -> float:
    """Seconds of CPU that other processes have taken since the machine was started, and what other
    machines have taken of a virtual one (Linux)."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return math.nan
    user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, fields[:8])
    all_of_them = (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")
    return all_of_them - sum(os.times()[:4])


def matmul_rate(threads: int, size: int = 1024, products: int = 8) -> float:
    """Floating-point operations a second of float32 matrix products."""
    torch.set_num_threads(threads)
    a, b = torch.rand(size, size), torch.rand(size, size)
    out = a @ b
    began = time.perf_counter()
    for _ in range(products):
        torch.mm(a, b, out=out)
    return 2 * size**3 * products / (time.perf_counter() - began)


def interleaved(samples: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """`rounds` samples of each, one of each in turn; every round starts with another one."""
    names = list(samples)
    results: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(rounds):
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            results[name].append(samples[name]())
    return results


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """(lower quartile, median, upper quartile)."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
