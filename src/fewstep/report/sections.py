"""The parts of a report: one for each sweep, one for the runs that belong to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstep.records import words
from fewstep.report.runs.gather import Run, reached
from fewstep.report.runs.searched import searched
from fewstep.report.runs.swept import distinguishing, values
from fewstep.report.tables.table import Row, rows


@dataclass(frozen=True)
class Section:
    """A sweep, or all the single runs."""

    title: str
    runs: Sequence[Run]
    swept: Sequence[str]
    """Keys that differ between the jobs of a sweep; none for single runs."""
    rows: Sequence[Row]

    @property
    def summary(self) -> str:
        """How many runs there are, how far they came, and what was swept."""
        finished = sum(run.finished for run in self.runs)
        text = f"{finished} of {len(self.runs)} runs finished"
        keys = [words.named(key) for key in self.swept]
        seeds = {run.config.get("seed", run.content.get("seed")) for run in self.runs}
        keys += ["seed"] if self.swept and len(seeds) > 1 else []
        return f"{text}; swept: {', '.join(keys)}" if keys else text

    @property
    def missing(self) -> list[str]:
        """A line for each run that has no results, with its reason where it is known."""
        return [_without_results(run, self.swept) for run in self.runs if not run.finished]


def sections(runs: Sequence[Run]) -> list[Section]:
    """Sweeps in the order of their first jobs, then the single runs."""
    groups: dict[Path | None, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.sweep, []).append(run)
    single = groups.pop(None, [])
    found = [_section(f"Sweep {folder}", jobs) for folder, jobs in groups.items()]
    return found + ([Section("Runs", single, (), rows(single))] if single else [])


def _section(title: str, jobs: Sequence[Run]) -> Section:
    # A job without a configuration, as from `fewstep evaluate`, is told by its name and command.
    complete = all(run.config for run in jobs)
    swept = distinguishing([run.config for run in jobs], searched(jobs)) if complete else []
    return Section(title, jobs, swept, rows(jobs, swept))


def _without_results(run: Run, swept: Sequence[str]) -> str:
    own: dict[str, Any] = {**values(run.config, swept), "seed": run.config.get("seed")}
    overrides = ", ".join(words.assigned(name, value) for name, value in own.items())
    far = f"at meta-iteration {reached(run):,} of {run.config['max_meta_iterations']:,}"
    state = "stopped" if run.stopped else "unfinished"
    state = state if run.failure is None else f"failed ({run.failure})"
    return f"{run.folder} ({overrides}): {state}, {far}"
