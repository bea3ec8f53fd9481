"""What is tested, among all that a run tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entrant:
    """What is tested, as results.json names it."""

    init: str
    """`trained`, or a baseline."""
    checkpoint: str | None
    """`best` or `last`, or the name of a file; None of a network that was never trained."""
    folder: Path
    """The run directory."""
    split: str = "test"

    @property
    def label(self) -> str:
        """How the names of its files begin."""
        return f"{self.split}_{self.init}_{self.checkpoint or 'none'}"
