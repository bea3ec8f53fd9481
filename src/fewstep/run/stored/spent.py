"""What a checkpoint says that its training has spent: seconds, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.run.stored.checkpoint_contents import ANOTHER, Content, are_scalars


def stopwatch(content: Content, path: Path, key: str) -> Mapping[str, Any] | None:
    """How long a checkpoint was trained: `seconds` and `meta_iterations`; None if it is unsaid.

    Raises:
        ConfigError: it says something else.
    """
    said = _of_callback(content, "Stopwatch")
    if said is None:
        return None
    whole = are_scalars(said)
    names = ("seconds", "meta_iterations", *({*said} & {"all_seconds"} if whole else ()))
    numbers = [said.get(n) for n in names] if whole else [None]
    if not all(isinstance(n, (int, float)) and 0 <= n < float("inf") for n in numbers):
        raise ConfigError(
            f"{key}={path}: callbacks.Stopwatch={printable(said)}: must have the seconds and the "
            f"meta-iterations of the training. {ANOTHER}"
        )
    return said


def peak(content: Content) -> int | None:
    """The bytes that a checkpoint's training took at its peak; None if it does not say."""
    said = _of_callback(content, "Peak")
    most = said.get("bytes") if isinstance(said, Mapping) else None
    return most if type(most) is int and most >= 0 else None


def _of_callback(content: Content, name: str) -> Any:
    """What one has left; where there is no dictionary of them, what there is."""
    callbacks = content.get("callbacks", {})
    return callbacks.get(name) if isinstance(callbacks, Mapping) else callbacks
