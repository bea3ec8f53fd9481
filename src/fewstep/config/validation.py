"""How often meta-validation comes, where nobody has said it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


AUTO = "auto"
USUAL = 500
"""Meta-iterations between two validations, where a training is long enough."""
LEAST = 4
"""Validations of a training, so that a short one has a curve, and a best to be chosen."""


def val_every(config: Mapping[str, Any]) -> int | None:
    """After how many meta-iterations a configuration validates; None is never."""
    every, end = config["eval"]["val_every"], config["max_meta_iterations"]
    return max(1, min(USUAL, end // LEAST)) if every == AUTO else every
