"""The parts of a report: one for each sweep, one for the runs that belong to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    unread: Sequence[Run] = ()
    """Folders that cannot be read, in which there may be runs."""

    @property
    def summary(self) -> str:
        """How many runs there are, how far they came, and what was swept."""
        finished = sum(run.finished and not run.asked for run in self.runs)
        texts = [f"{finished} of {len(self.runs)} runs finished"]
        if self.unread:
            texts.append(f"{len(self.unread)} folder{'s' * (len(self.unread) > 1)} cannot be read")
        keys = [words.named(key) for key in self.swept]
        seeds = {run.config.get("seed", run.content.get("seed")) for run in self.runs}
        keys += ["seed"] if self.swept and len(seeds) > 1 else []
        return "; ".join([*texts, *([f"swept: {', '.join(keys)}"] if keys else [])])

    @property
    def missing(self) -> list[str]:
        """A line for each run that has no results, with its reason where it is known, and for each
        folder of which nobody can say."""
        lines = [_without_results(run, self.swept) for run in self.runs if not run.finished]
        return [*lines, *(f"{run.folder}: cannot be read ({run.unread})" for run in self.unread)]

    @property
    def earlier(self) -> list[str]:
        """A line for each run whose results are of an end from which it has gone on since."""
        return [
            f"{_without_results(run, self.swept)}; its figures here are of its earlier end, "
            f"{run.content['meta_iterations']:,} meta-iterations"
            for run in self.runs
            if run.finished and run.asked
        ]


def sections(runs: Sequence[Run]) -> list[Section]:
    """Sweeps in the order of their first jobs, then the single runs."""
    groups: dict[Path | None, list[Run]] = {}
    for run in runs:
        if not run.unread:
            groups.setdefault(run.sweep, []).append(run)
    unread = _unread(runs, groups)
    single = groups.pop(None, [])
    found = [
        _section(f"Sweep {folder}", jobs, unread.get(folder, ())) for folder, jobs in groups.items()
    ]
    rest = unread.get(None, ())
    return found + ([Section("Runs", single, (), rows(single), rest)] if single else [])


def _unread(
    runs: Sequence[Run], groups: Mapping[Path | None, Sequence[Run]]
) -> dict[Path | None, list[Run]]:
    """What cannot be read, by the group where that is told: its own sweep's, or else that of single
    runs, or the first."""
    found: dict[Path | None, list[Run]] = {}
    for run in (run for run in runs if run.unread):
        place = next((group for group in (run.sweep, None, *groups) if group in groups), None)
        found.setdefault(place, []).append(run)
    return found


def _section(title: str, jobs: Sequence[Run], unread: Sequence[Run]) -> Section:
    # A job without a configuration, as from `fewstep evaluate`, is told by its name and command.
    complete = all(run.config for run in jobs)
    swept = distinguishing([run.config for run in jobs], searched(jobs)) if complete else []
    return Section(title, jobs, swept, rows(jobs, swept), unread)


def _without_results(run: Run, swept: Sequence[str]) -> str:
    own: dict[str, Any] = {**values(run.config, swept), "seed": run.config.get("seed")}
    overrides = ", ".join(words.assigned(name, value) for name, value in own.items())
    asked = run.asked or run.config
    far = f"at meta-iteration {reached(run):,} of {asked['max_meta_iterations']:,}"
    state = "stopped" if run.stopped else "unfinished"
    state = state if run.failure is None else f"failed ({run.failure})"
    return f"{run.folder} ({overrides}): {state}, {far}"
