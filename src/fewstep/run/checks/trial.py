"""A piece of a run's work, tried on a task or two, and what its failure is told as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from fewstep.core.types import Episode, Start
from fewstep.execution.base import Execution
from fewstep.execution.serial import Serial
from fewstep.run.checks.diagnosis import Place, explained


@dataclass(frozen=True)
class Trial:
    """Where it is tried."""

    module: nn.Module
    start: Start

    def run(
        self, place: Place, execution: Execution, work: Callable, episodes: Sequence[Episode]
    ) -> Any:
        """What `work` gives, which under `vmap` alone is what fails if it does so nowhere else.

        Raises:
            ConfigError: it fails.
        """
        try:
            return work(execution, self.start, episodes)
        except Exception:
            if execution.name != "vmap":
                with explained(place):
                    raise
            with explained(place):
                for episode in episodes:
                    work(Serial(self.module), self.start, [episode])
            with explained(replace(place, stage="vmap")):
                raise


def mapped(task: Callable, run: Execution, start: Start, episodes: Any) -> None:
    """One task after another, or side by side, as the execution has it."""
    run.map(task, (start,), episodes)
