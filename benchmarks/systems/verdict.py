"""What result files say of the claims on the seven systems.

Every verdict is computed from the figures of single test tasks, paired over the tasks and seeds
that two arms share, with the two-way interval of their difference. A claim holds where the whole
interval is where it says and its p-value against its limits is below 0.05 after Holm's correction,
does not hold where all of the interval is elsewhere, and else is not resolved. The correction is
for all claims that are asked for, which were so before there were results, and for all others of a
system. Where intervals must be apart, that alone decides: it is more than a p-value of 0.05.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fewstep import report
from fewstep.config.checks import flatten
from fewstep.records import measures
from fewstep.records.statistics.two_way import Mean, holm, two_way
from fewstep.report.statistics.contrast import LEVEL
from fewstep.report.statistics.per_task import by_seed_and_task
from fewstep.report.tables.table import Entry, Row
from systems.claim import Arm, Claim
from systems.claims import CLAIMS
from systems.misses import MISSES


RESULTS = Path(__file__).parents[2] / "docs" / "results" / "systems"
SAYS = HOLDS, OPEN, DOES_NOT, NO_FILES = "holds", "not resolved", "does not hold", "no files"


@dataclass(frozen=True)
class Verdict:
    """A claim, what the files say of it, and by which figure; by none where there are no files."""

    claim: Claim
    says: str
    found: Mean | None = None
    seeds: int = 0
    tasks: int = 0
    p: float = math.nan
    """Two-sided, against the limit that it is least clear of; not a number where the intervals of
    both arms must be apart."""

    @property
    def figure(self) -> str:
        """`+13.4 ± 1.2 points`: the half-width in two digits, and the mean in as many places."""
        if not self.found:
            return ""
        half, share = self.found.half_width, measures.scale(self.claim.metric) > 1
        spread = half if math.isfinite(half) and half > 0 else 0.01
        places = max(0, 1 - math.floor(math.log10(spread)))
        sign, unit = ("+", " points") if self.claim.other else ("", " %")
        return f"{self.found.mean:{sign}.{places}f} ± {half:.{places}f}{unit if share else ''}"

    @property
    def basis(self) -> str:
        """Which figures were paired."""
        many = "one seed" if self.seeds == 1 else f"{self.seeds} seeds"
        return f"{many}, {self.tasks:,} tasks" if self.found else ""


def kept(system: str) -> list[Row]:
    """The rows of the results that are committed; none where there are none."""
    folder = RESULTS / system
    return report.rows(report.read([folder])) if folder.is_dir() else []


def judged(system: str, rows: Sequence[Row] | None = None) -> list[Verdict]:
    """Every claim on a system, by some rows or by those that are committed.

    Raises:
        ValueError: an arm that is not one row, or two that cannot be paired.
    """
    rows = kept(system) if rows is None else rows
    found = [judge(claim, rows) for claim in CLAIMS[system]]
    asked, others = (
        iter(holm([verdict.p for verdict in found if verdict.claim.asked is asked]))
        for asked in (True, False)
    )
    return [_corrected(v, next(asked if v.claim.asked else others)) for v in found]


def _corrected(found: Verdict, p: float) -> Verdict:
    """A verdict with its p-value as it is among others; no longer that it holds if that is high."""
    lost = found.says == HOLDS and not found.claim.apart and not p < LEVEL
    return replace(found, p=p, says=OPEN if lost else found.says)


def surprises(system: str, found: Sequence[Verdict]) -> set[str]:
    """What is asked for and not borne out, for no reason that is told, and what is told of claims
    that are; nothing where there are no files at all."""
    if not any(verdict.found for verdict in found):
        return set()
    missed = {v.claim.text for v in found if v.claim.asked and v.says != HOLDS}
    return missed ^ {text for name, text in MISSES if name == system}


def table(system: str) -> str:
    """The verdicts by the committed files, for a page."""
    lines = ["| claim | for it | verdict | over |", "| --- | --- | --- | --- |"]
    for v in judged(system):
        says = v.says if v.claim.asked else f"{v.says} (not asked for)"
        if reason := MISSES.get((system, v.claim.text)):
            says += f": {reason}"
        lines.append(f"| {v.claim.text} | {v.figure} | {says} | {v.basis} |")
    return "\n".join(lines)


def judge(claim: Claim, rows: Sequence[Row]) -> Verdict:
    """One claim by itself, by some rows.

    Raises ValueError, as `judged` does.
    """
    if claim.also:
        each = [judge(replace(claim, one=a, also=()), rows) for a in (claim.one, *claim.also)]
        return replace(max(each, key=lambda v: (SAYS.index(v.says), v.p)), claim=claim)
    arms = [arm for arm in (claim.one, claim.other) if arm]
    entries = [_entries(arm, rows) for arm in arms]
    if not all(entries):
        return Verdict(claim, NO_FILES)
    one, *other = _shared(claim, entries)
    differences = one - other[0] if other else one
    found = two_way(differences)
    half = sum(two_way(each).half_width for each in (one, *other)) if claim.apart else None
    found = found if half is None else Mean(found.mean, half, math.nan, None, found.freedom)
    p = math.nan if claim.apart else _p(claim, differences)
    return Verdict(claim, _says(claim, found), found, *one.shape, p)


def _p(claim: Claim, differences: np.ndarray) -> float:
    """Of figures that must be clear of every limit."""
    limits = [limit for limit in (claim.above, claim.below) if math.isfinite(limit)]
    return max(two_way(differences - limit).p for limit in limits)


def _says(claim: Claim, found: Mean) -> str:
    low, high = found.mean - found.half_width, found.mean + found.half_width
    if claim.above < low and high < claim.below:
        return HOLDS
    return DOES_NOT if high <= claim.above or low >= claim.below else OPEN


def _entries(arm: Arm, rows: Sequence[Row]) -> Sequence[Entry]:
    """Of each seed; none where no row is the arm's."""
    found = [row for row in rows if _is(row, arm)]
    if len(found) > 1:
        raise ValueError(f"{arm}: {len(found)} rows are called so. Leave all but one out")
    return next(iter(found[0].cells.values())) if found else []


def _is(row: Row, arm: Arm) -> bool:
    if arm.label not in (row["label"], row["name"]):
        return False
    told = {"init": "trained", **arm.told}
    keys = dict(flatten(row.runs[0].config)) | dict(row.same)
    return all(keys.get(name) == value for name, value in told.items())


def _shared(claim: Claim, entries: Sequence[Sequence[Entry]]) -> list[np.ndarray]:
    """The figures of each arm, [seeds, tasks], over the seeds that all have."""
    episodes = {entry["episodes_sha256"] for arm in entries for entry in arm}
    tables = [by_seed_and_task(arm, claim.metric) for arm in entries]
    seeds = sorted(set.intersection(*map(set, tables)))
    if len(episodes) > 1 or not seeds:
        raise ValueError(f"{claim.text}: the files share no tasks, or no seed, to pair by")
    scale = measures.scale(claim.metric)
    return [scale * np.stack([found[seed] for seed in seeds]) for found in tables]
