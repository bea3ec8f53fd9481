"""What settling a run has built and tried, for the run that follows in the same process.

So a preflight costs a run nothing: the programs that it wrote are there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from fewstep.run.learner import MetaLearner


Config = Mapping[str, Any]

_KEPT: list[tuple[Config, MetaLearner, torch.Tensor]] = []
"""One at most: the last that was settled."""


def keep(config: Config, learner: MetaLearner) -> None:
    """Keep an untrained learner, and where building it has left torch's random numbers."""
    _KEPT[:] = [(config, learner, torch.get_rng_state())]


def take(config: Config) -> MetaLearner | None:
    """The learner that was kept for this very configuration, once; else None."""
    kept = _KEPT.pop() if _KEPT else None
    if kept is None or kept[0] != config:
        return None
    _, learner, place = kept
    torch.set_rng_state(place)
    return learner
