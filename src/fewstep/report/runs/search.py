"""A search: what each trial tried, and the meta-validation that it was judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from fewstep.disk.plain import plain_yaml, yaml_of
from fewstep.records import measures, words
from fewstep.records.figures import layout
from fewstep.records.figures.lines import CHANCE
from fewstep.records.figures.panel import AXIS
from fewstep.records.figures.style import PALETTE, evenly, logarithmic
from fewstep.records.job_record import read_record
from fewstep.report.figures.series import metric_of
from fewstep.report.runs.gather import Run
from fewstep.report.runs.searched import proposed
from fewstep.report.sections import Section


DECADES = 20
"""Ratio of the largest to the smallest value from which on a parameter has a log axis."""

TRIAL: dict[str, Any] = {"color": PALETTE[0], "marker": "o", "ms": 5, "ls": "", "alpha": 0.75}
BEST: dict[str, Any] = {"color": PALETTE[1], "marker": "*", "ms": 14, "ls": "", "mec": "w"}


@dataclass(frozen=True)
class Trial:
    """One job of a search."""

    run: Run
    tried: Mapping[str, Any]
    objective: float
    """In percent where it is an accuracy; not a number where the trial diverged."""


@dataclass(frozen=True)
class Search:
    """The trials of a sweep that a sweeper proposed one after another."""

    trials: Sequence[Trial]
    keys: Sequence[str]
    """What differs between them."""
    metric: str
    unit: str
    chance: float | None
    setting: str

    @property
    def best(self) -> Trial:
        """The trial with the highest accuracy or the lowest loss."""
        sign = -1 if self.metric == "acc" else 1
        known = [trial for trial in self.trials if math.isfinite(trial.objective)]
        return min(known, key=lambda trial: sign * trial.objective)

    @property
    def first(self) -> list[Trial]:
        """The trials, the best first."""
        sign = -1 if self.metric == "acc" else 1
        return sorted(
            self.trials,
            key=lambda t: sign * t.objective if math.isfinite(t.objective) else math.inf,
        )


def search_of(section: Section) -> Search | None:
    """The search that a section is, if it is one and a trial has an objective."""
    jobs = [run for run in section.runs if run.sweep and run.finished]
    if not section.rows or not any(proposed(run.folder) for run in jobs):
        return None
    row = section.rows[0]
    metric = metric_of(row)
    setting = words.setting(row["ways"], row["shots"], metric, row["varies"])
    tried = {run.folder: _overrides(run.folder) for run in jobs}
    scale = measures.scale(metric)
    trials = [Trial(run, tried[run.folder], scale * _objective(run.folder)) for run in jobs]
    every = dict.fromkeys(key for trial in trials for key in trial.tried)
    keys = [key for key in every if _varies(trials, key)]
    if not keys or not any(math.isfinite(trial.objective) for trial in trials):
        return None
    return Search(
        trials,
        keys,
        metric,
        f"meta-validation {measures.unit(metric, row.runs[0].content)}",
        row.chance if metric == "acc" else None,
        f"{words.dataset(row['dataset'])}, {setting}",
    )


def _objective(folder: Path) -> float:
    value = read_record(folder).get("objective")
    return float(value) if isinstance(value, (int, float)) else math.nan


def _overrides(folder: Path) -> dict[str, Any]:
    """What the job was told; nothing where that cannot be read."""
    try:
        given = plain_yaml(folder / "overrides.yaml")
    except (OSError, ValueError):
        return {}
    if not isinstance(given, list):
        return {}
    pairs = (str(word).lstrip("+~").partition("=") for word in given)
    return {key: _value(text) for key, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return yaml_of(text)
    except ValueError:
        return text


def _varies(trials: Sequence[Trial], key: str) -> bool:
    return key != "seed" and len({repr(trial.tried.get(key)) for trial in trials}) > 1


def fill(axes: Axes, search: Search, key: str, size: tuple[float, float]) -> None:
    """One parameter against the objective, the best trial marked."""
    values = [trial.tried.get(key) for trial in search.trials]
    at = _places(axes, key, values, size[0] - 1.0)
    shown = [(x, t) for x, t in zip(at, search.trials, strict=True) if math.isfinite(t.objective)]
    axes.plot([x for x, _ in shown], [t.objective for _, t in shown], **TRIAL)
    (best,) = [x for x, t in shown if t is search.best]
    axes.plot([best], [search.best.objective], **BEST)
    if search.chance is not None:
        axes.axhline(search.chance, zorder=1.5, **CHANCE)
    said = words.assigned(key, search.best.tried.get(key))
    axes.set_title(layout.wrapped(f"best: {said}", size[0] - 0.7, AXIS), fontsize=AXIS)
    axes.set_xlabel(layout.wrapped(words.named(key), size[0] - 0.7, AXIS), fontsize=AXIS)
    axes.set_ylabel(layout.wrapped(search.unit, size[1] - 0.7, AXIS), fontsize=AXIS)
    _judged(axes, [t.objective for _, t in shown], search.metric)


def _judged(axes: Axes, values: Sequence[float], metric: str) -> None:
    low, high = min(values), max(values)
    if metric == "loss" and low > 0 and high > DECADES * low:
        logarithmic(axes.yaxis, low, high)
    else:
        axes.margins(y=0.08)
        evenly(axes.yaxis)


def _places(axes: Axes, key: str, values: Sequence[Any], inches: float) -> list[float]:
    """Where the values of a parameter lie: on a scale, or side by side where they are words."""
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        low, high = min(values), max(values)
        if low > 0 and high > DECADES * low:
            logarithmic(axes.xaxis, low, high)
        else:
            evenly(axes.xaxis, whole=all(isinstance(v, int) for v in values))
        return [float(v) for v in values]
    named = [words.valued(key, v) for v in values]
    names = list(dict.fromkeys(named))
    texts = [layout.wrapped(name, inches / len(names), AXIS - 1) for name in names]
    axes.set_xticks(range(len(names)), texts, fontsize=AXIS - 1)
    axes.set_xlim(-0.5, len(names) - 0.5)
    return [float(names.index(name)) for name in named]
