"""Which runs are of one recipe: those that differ in their seeds at most."""

from __future__ import annotations

import re
import shlex
from collections.abc import Hashable, Iterable

from fewstep.records.identity import recipe_hash
from fewstep.report.runs.gather import Run


VARYING = re.compile(r"(seed|hydra\.run\.dir)=")
"""Overrides by which runs of one recipe may differ."""

BEGUN = "init_sha256"
"""What a configuration says of the weights that a training begins with."""


class Recipes:
    """What the runs of one recipe share: its hash, or for want of one the command without seed.

    Where a sweep goes on from another's trainings, each seed begins with weights of its own: these
    are the seed's then, and not the recipe's.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self._begun: dict[Hashable, set[tuple]] = {}
        for run in runs:
            if run.config.get(BEGUN):
                seed = run.content.get("seed")
                self._begun.setdefault(_kind(run), set()).add((seed, run.config[BEGUN]))

    def __call__(self, run: Run) -> str:
        begun = self._begun.get(_kind(run), set()) if run.config.get(BEGUN) else set()
        if len({weights for _, weights in begun}) > 1 and len({s for s, _ in begun}) == len(begun):
            return _seeds_own(run)
        if known := run.content.get("recipe_hash"):
            return known
        return recipe_hash(run.config) if run.config else shlex.join(words(run))


def words(run: Run) -> list[str]:
    """Of its command, without those by which the runs of one recipe differ."""
    command = run.content.get("command") or ""
    try:
        found = shlex.split(command)
    except ValueError:  # a quote that is not closed, which no shell has passed on
        found = command.split()
    return [word for word in found if not VARYING.match(word)]


def _seeds_own(run: Run) -> str:
    return recipe_hash({**run.config, BEGUN: "of each seed"})


def _kind(run: Run) -> Hashable:
    """What runs share that may begin with other weights."""
    return _seeds_own(run), run.content.get("name"), run.content.get("label")
