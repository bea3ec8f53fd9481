"""What a run and its data are called, in the words of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """Whose tasks they are, in the words of the command line."""

    name: str
    target: str
    split: str | None
    root: str | None
    from_lists: bool
    """Whether lists of the user's own say which class is in which split."""

    @property
    def key(self) -> str:
        """Whose class it is."""
        return f"dataset._target_={self.target}"

    @property
    def place(self) -> str:
        """Where the data is."""
        return f"dataset.root={self.root}" if self.root else f"dataset={self.name}"


@dataclass(frozen=True)
class Labels:
    """What a run is called."""

    name: str
    label: str | None
    """Of its curve, among the runs of one figure."""
    point: Any
    """Of a sweep."""
