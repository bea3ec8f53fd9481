"""Floating-point operations of one task, in convolutions and matrix products."""

from __future__ import annotations

from torch.utils.flop_counter import FlopCounterMode

from fewstep.bench.subject import Subject
from fewstep.core.types import Episode


def operations(subject: Subject, episode: Episode) -> int:
    """What the direction of one task takes; a product and a sum are two."""
    learner = subject.learner
    with FlopCounterMode(display=False) as counter:
        learner.algorithm.direction(learner.problem, learner.start(), episode)
    return counter.get_total_flops()
