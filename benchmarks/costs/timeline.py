"""Where the time of one meta-iteration goes: by phase and by operator, as a table and a picture.

The tasks run one after another in the profiled thread, each inner step as the program that the
worker threads run. The profiler itself slows small operations, so the shares are its own and the
time without it is given beside.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import matplotlib
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from costs.record import RESULTS, table
from fewstep.bench.subject import BareLoop, Subject, open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.core.net import Net
from fewstep.core.traits import PLAIN
from fewstep.core.types import Episode
from fewstep.execution.base import PerTask
from fewstep.execution.serial import Serial
from fewstep.programs.library import Programs
from fewstep.run.construction.assembly import assemble


matplotlib.use("Agg")
import matplotlib.pyplot as plt


WORDS = ["trainer=cpu", "meta_batch=5"]
PROGRAM = "program"
"""What PyTorch calls a run of one of ours."""
PHASES = ("inner steps", "tasks drawn", "outer step", "other")
PRODUCTS = ("aten::mm", "aten::addmm")
OPERATORS = 12
ITERATIONS = 20


def measure(quick: bool) -> dict[str, Any]:
    """Shares of the profiled time, by phase and by operator, and the time without a profiler."""
    subject = open_subject(assemble(plain(compose_config("train", WORDS))))
    subject.learner.executing.made = _Here(subject.learner.module)
    torch.set_num_threads(1)
    loop, count = BareLoop(subject), 2 if quick else ITERATIONS
    for _ in range(3):
        loop()
    began = time.perf_counter()
    for _ in range(count):
        loop()
    seconds = (time.perf_counter() - began) / count
    with _labels(subject), profile(activities=[ProfilerActivity.CPU]) as prof:
        for _ in range(count):
            with record_function("meta-iteration"):
                loop()
    figures = {"overrides": WORDS, "meta_iterations": count, "seconds": seconds, **_shares(prof)}
    if not quick:
        draw(figures)
    return figures


def markdown(figures: dict[str, Any]) -> str:
    """Phases, then operators."""
    phases = [[n, f"{100 * share:.1f}"] for n, share in figures["phases"].items()]
    operators = [
        [name, f"{calls:.0f}", f"{100 * share:.1f}"] for name, calls, share in figures["operators"]
    ]
    return (
        "## Where a meta-iteration goes\n\n"
        f"{table(['phase', '% of the time'], phases)}\n\n"
        f"{table(['operator', 'calls', '% of the time'], operators)}\n\n"
        f"The paper's Reptile, 5 tasks one after another: {1e3 * figures['seconds']:.1f} ms "
        f"without the profiler, {1e3 * figures['profiled_seconds']:.1f} ms with it. An operator's "
        "time is its own, without that of those it calls. Of the inner steps "
        f"{100 * figures['products']:.0f} % is matrix products; `other` is packing, metrics and "
        "the directions, and Python between them.\n"
    )


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Nothing is asked of the shares."""
    return {}


def draw(figures: dict[str, Any]) -> None:
    """`costs_timeline.png`: one bar of phases, one of operators."""
    figure, axes = plt.subplots(2, 1, figsize=(9, 5), height_ratios=[1, 3], layout="constrained")
    left = 0.0
    for name, share in figures["phases"].items():
        axes[0].barh(0, 100 * share, left=left, label=f"{name} {100 * share:.0f} %")
        left += 100 * share
    axes[0].set(yticks=[], xlim=(0, 100), title="one meta-iteration, by phase")
    axes[0].legend(ncols=3, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.35))
    names, _, shares = zip(*reversed(figures["operators"]), strict=True)
    axes[1].barh(names, [100 * share for share in shares])
    axes[1].set(xlabel="% of the time", title="by operator")
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "costs_timeline.png", dpi=110)
    plt.close(figure)


class _Here(Serial):
    """The programs of `execution=threads`, in the calling thread and with one intra-op thread."""

    name, traits = "here", PLAIN

    def __init__(self, module: nn.Module) -> None:
        self.net = Net(module, programs=Programs())

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        return [function(self.net, *shared, episode) for episode in episodes]


@contextmanager
def _labels(subject: Subject) -> Iterator[None]:
    """Name the phases in the profile; the engine knows nothing of it."""
    phases = [(type(subject.split), "episode", "tasks drawn")]
    phases += [(BareLoop, "outer_step", "outer step")]
    with ExitStack() as stack:
        for owner, method, label in phases:
            named = _named(getattr(owner, method), label)
            stack.enter_context(mock.patch.object(owner, method, named))
        yield


def _named(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def named(*arguments: Any, **options: Any) -> Any:
        with record_function(label):
            return function(*arguments, **options)

    return named


def _shares(prof: profile) -> dict[str, Any]:
    phases, operators, calls = Counter(), Counter(), Counter()
    interpreters = {PROGRAM: "the program, between operators"}
    interpreters |= dict.fromkeys([*PHASES, "meta-iteration"], "Python, between operators")
    events = [e for e in prof.events() if _phase(e) is not None]
    count = sum(e.name == "meta-iteration" for e in events)
    for event in events:
        phases[_phase(event)] += event.self_cpu_time_total
        name = interpreters.get(event.name, event.name)
        operators[name] += event.self_cpu_time_total
        calls[name] += event.name not in interpreters
    total = sum(phases.values())
    top = operators.most_common(OPERATORS)
    return {
        "profiled_seconds": total / count / 1e6,
        "phases": {name: phases[name] / total for name in PHASES},
        "products": sum(operators[name] for name in PRODUCTS) / phases["inner steps"],
        "operators": [(name, calls[name] / count, time / total) for name, time in top],
    }


def _phase(event: Any) -> str | None:
    """What an event is part of, None where it is of no meta-iteration."""
    phase = "other"
    while event is not None:
        if event.name == "meta-iteration":
            return phase
        if phase == "other" and event.name in (PROGRAM, *PHASES):
            phase = "inner steps" if event.name == PROGRAM else event.name
        event = event.cpu_parent
    return None
