"""A search: what each trial tried, and the meta-validation that it was judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.records import words
from fewstep.report.figures.scales import scales
from fewstep.report.runs.gather import Run
from fewstep.report.runs.searched import objective, searched, shown, tried
from fewstep.report.sections import Section


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
    scales: Mapping[str, bool]
    """Of what was proposed from an interval, whether that was on a log scale."""

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
    if not section.rows or not (keys := searched(jobs)):
        return None
    row = section.rows[0]
    metric = row.metric
    setting = words.setting(row["ways"], row["shots"], metric, row["varies"])
    trials = [Trial(run, tried(run.folder), shown(objective(run), metric)) for run in jobs]
    if not any(math.isfinite(trial.objective) for trial in trials):
        return None
    return Search(
        trials,
        keys,
        metric,
        f"meta-validation {row.unit}",
        row.chance if metric == "acc" else None,
        f"{words.dataset(row['dataset'])}, {setting}",
        scales(jobs),
    )
