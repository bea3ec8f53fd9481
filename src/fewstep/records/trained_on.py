"""What `train/acc` and `train/loss` are the mean of, which is another thing for each algorithm.

It follows from the algorithm's class and its inner loop, and not from its name: a recipe of one's
own of one of our classes has it too. A class of one's own logs what it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


OURS = "fewstep."

ON_THE_WAY = ("Reptile", "EigenReptile", "Harmony", "Combination")
"""The classes that log their last inner minibatch, just before its step."""

BEHIND = ("MAML", "FOMAML", "MultiStep", "Binomial", "HessianFree", "IMAML")
"""Those that log what the adapted parameters say."""


def trained_on(algorithm: Mapping[str, Any]) -> str:
    """What an algorithm logs of the tasks it trains on, by its part of the configuration."""
    return f"training tasks{_logged(algorithm)}"


def _logged(algorithm: Mapping[str, Any]) -> str:
    target = str(algorithm.get("_target_"))
    own = target.rpartition(".")[2] if target.startswith(OURS) else ""
    inner = algorithm.get("inner") or {}
    whole = inner.get("batch_size") is None
    part = "the support set" if whole else "last minibatch"
    if own in ON_THE_WAY:
        return f": {part}, just before {'the last' if whole else 'its'} inner step"
    if own == "Joint":
        return f": {part}, nothing adapted"
    if own == "Direct":
        return ": queries, by the support set as it is"
    if own in BEHIND:
        part = "queries" if algorithm.get("tail", "separate") == "separate" else "the tail"
        return f": {part}, {'nothing adapted' if inner.get('steps') == 0 else 'after adapting'}"
    return ", as the algorithm logs them"
