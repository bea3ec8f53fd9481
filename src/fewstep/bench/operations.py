"""Floating-point operations of one task, in convolutions and matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from fewstep.bench.subject import Subject
from fewstep.types import Episode


def operations(subject: Subject, episode: Episode) -> int:
    """What the direction of one task takes; a product and a sum are two."""
    learner = subject.learner
    with FlopCounterMode(display=False, custom_mapping=SMALL_CONVOLUTIONS) as counter:
        learner.algorithm.direction(
            learner.net, learner.net.params(), learner.state, episode, learner.task
        )
    return counter.get_total_flops()


def _forward(x: Any, weight: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


def _backward(grad: Sequence[int], x: Any, weight: Sequence[int], *rest: Any, **_: Any) -> int:
    """As much again for each of the gradients that are asked for, of the images and the weight."""
    wanted: Sequence[bool] = rest[-1]
    return sum(wanted[:2]) * _forward(x, weight, out_shape=grad)


SMALL_CONVOLUTIONS = {
    torch.ops.aten._slow_conv2d_forward: _forward,
    torch.ops.aten._slow_conv2d_backward: _backward,
}
"""PyTorch's own kernel, whose operations its counter cannot count."""
