"""The measurements of `fewstep bench` as text."""

from __future__ import annotations

from fewstep.bench.measure import PRODUCT, ROUNDS, Figures
from fewstep.config.room import size
from fewstep.execution.base import CPU_THREADS
from fewstep.execution.choice import EXECUTIONS
from fewstep.messages.columns import padded


HEAD = ("execution", "ms a meta-iteration (quartiles)", "tasks/s", "of the product", "peak memory")


def table(figures: Figures) -> str:
    """A row an execution, which is best here, what surrounds the inner loops, and the memory."""
    rows = [HEAD, *(_row(figures, name) for name in EXECUTIONS)]
    best = min(figures.times, key=lambda name: figures.times[name][1])
    lines = [
        f"{figures.device.type}, {CPU_THREADS} threads; medians of {ROUNDS} rounds in turn",
        f"matrix product {figures.peak_rate / 1e9:.0f} GFLOP/s (float32, {PRODUCT} x {PRODUCT})",
        "",
        *padded(rows, gap="   "),
        "",
        f"fastest here: execution={best}",
        *_overhead(figures),
        f"memory: {size(figures.idle)} for the process before the first task, "
        f"{size(figures.need.of(figures.chosen))} expected on top, {size(figures.free)} free",
    ]
    if figures.device.type == "cpu":
        lines.append("no GPU was used: the rows of a GPU were not run")
    return "\n".join(lines)


def _row(figures: Figures, name: str) -> tuple[str, ...]:
    if name not in figures.times:
        needs = figures.need.of(name)
        reason = f"needs {size(needs)}" if needs > figures.free else "the network is not for it"
        return name, f"not run: {reason}", "", "", ""
    low, middle, high = figures.times[name]
    share = figures.flops / middle / figures.peak_rate
    return (
        name,
        f"{1e3 * middle:8.1f} ({1e3 * low:.1f} to {1e3 * high:.1f})",
        f"{figures.tasks / middle:7.0f}",
        f"{100 * share:5.1f} %",
        f"+{size(figures.peaks[name])}",
    )


def _overhead(figures: Figures) -> list[str]:
    outside, added = _percent(figures.overhead.outside), _percent(figures.overhead.added)
    return [
        f"with execution={figures.chosen}, of a training's meta-iteration:",
        f"  outside the inner loops (tasks, outer step, Lightning, logging) {outside}",
        f"  added by Lightning and logging to a bare loop of the same work {added}",
    ]


def _percent(shares: tuple[float, float, float]) -> str:
    low, middle, high = (100 * share for share in shares)
    return f"{middle:.1f} % ({low:.1f} to {high:.1f})"
