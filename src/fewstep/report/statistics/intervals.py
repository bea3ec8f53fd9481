"""95 % intervals of one figure: over tasks and over seeds, kept apart.

The first says how well one training was measured, the second how much trainings differ.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.records import measures
from fewstep.records.statistics.intervals import FEW, widened
from fewstep.records.statistics.student import half_width
from fewstep.report.statistics.decimals import PLACES, of_loss


def over_seeds(values: Sequence[float]) -> float | None:
    """Half-width of the mean of one figure a seed, by Student's t; None for a single seed."""
    if len(values) < 2:
        return None
    return half_width(statistics.stdev(values) / math.sqrt(len(values)), len(values) - 1)


@dataclass(frozen=True)
class Estimate:
    """One figure of a table, from one run or from one for each seed."""

    metric: str
    """`acc`, here in percent, or `loss`."""
    mean: float | None
    """None where runs diverged."""
    tasks: float | None
    """Half-width over tasks; None of a single one, and where a file does not say it."""
    seeds: float | None
    """Half-width over seeds; None for a single one."""
    runs: int
    lost: int
    """Runs without a figure."""
    shaky: bool
    """Whether a loss is not a number though an accuracy could be counted."""

    @property
    def diverged(self) -> bool:
        """Whether nothing may be concluded: an accuracy beside a lost loss is a guess."""
        return self.mean is None or self.shaky

    @property
    def wider(self) -> float:
        """The larger half-width: what a comparison with somebody else's figure has to allow."""
        return max(self.tasks or 0.0, self.seeds or 0.0)


def estimate(results: Sequence[Mapping[str, Any]]) -> Estimate:
    """The mean over seeds of results that differ in their seeds alone.

    A run that was repeated is no further seed. Every seed meets the same test tasks, so more seeds
    do not narrow the interval over tasks: it is that of one run, on average; of few tasks, wider
    than the field's formula in its file has it.
    """
    metric = measures.metric_of(results[0])
    scale = measures.scale(metric)
    end = f"{metric}_ci95"
    # One task has no spread, and a file may be without one: neither has diverged for that.
    spread = results[0].get("tasks") != 1 and all(end in r for r in results)
    ends = (end,) if spread else ()
    lost = sum(any(r.get(name) is None for name in (metric, *ends)) for r in results)
    shaky = any(r.get("loss", 0.0) is None for r in results)
    if lost:
        return Estimate(metric, None, None, None, len(results), lost, shaky)
    values = [scale * v for v in by_seed(results, metric).values()]
    halves = [r[name] * widened(r.get("tasks", FEW)) for r in results for name in ends]
    tasks = scale * statistics.fmean(halves) if halves else None
    seeds = over_seeds(values)
    return Estimate(metric, statistics.fmean(values), tasks, seeds, len(results), 0, shaky)


def by_seed(results: Sequence[Mapping[str, Any]], metric: str) -> dict[Any, float]:
    """One figure a seed, repeated runs averaged."""
    seeds: dict[Any, list[float]] = {}
    for result in results:
        seeds.setdefault(result["seed"], []).append(result[metric])
    return {seed: statistics.fmean(repeats) for seed, repeats in seeds.items()}


def show(figure: Estimate) -> str:
    """`78.82 ± 1.10` over tasks, for several seeds with `(seeds ± 0.52)`."""
    if figure.mean is None:
        some = f" ({figure.lost} of {figure.runs} runs)" if figure.runs > 1 else ""
        return f"diverged{some}"
    known = [half for half in (figure.tasks, figure.seeds) if half is not None]
    mean, *halves = _figures(figure.mean, known, figure.metric)
    text = mean if figure.tasks is None else f"{mean} ± {halves[0]}"
    text += " (diverged)" if figure.shaky else ""
    return text if figure.seeds is None else f"{text} (seeds ± {halves[-1]})"


def _figures(mean: float, halves: Sequence[float], metric: str) -> list[str]:
    return [f"{v:.2f}" for v in (mean, *halves)] if metric == "acc" else of_loss(mean, halves)


def difference(found: Any, digits: int = 2) -> str:
    """`+1.40 ± 0.95` of a contrast: of accuracies; of losses, with the four digits that these have
    where they show what is there."""
    if digits == PLACES:
        return " ± ".join(of_loss(found.mean, [found.half_width], apart=True))
    return f"{found.mean:+.{digits}f} ± {found.half_width:.{digits}f}"


def p_value(p: float) -> str:
    """`0.032`, `2e-05`, or `<1e-300` where a float is too coarse; nothing where it is not known."""
    if math.isnan(p):
        return ""
    if p < 1e-300:
        return "<1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
