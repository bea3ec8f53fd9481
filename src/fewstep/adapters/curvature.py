"""How much a task's loss bends where the task starts."""

from __future__ import annotations

import torch
from torch import Tensor

from fewstep.adapters.path import Path
from fewstep.core.rules import inner_product
from fewstep.core.rules.learned import split
from fewstep.core.types import Params


ITERATIONS = 30
"""Of the power iteration."""


def largest_curvature(path: Path) -> Tensor:
    """The largest eigenvalue, by magnitude, of the support loss's Hessian where a task starts, by
    power iteration."""
    at = path.params[0]
    own, _ = split(at)
    generator = torch.Generator().manual_seed(0)
    v = {n: torch.randn(p.shape, generator=generator, dtype=p.dtype) for n, p in own.items()}
    size = torch.zeros(())
    for _ in range(ITERATIONS):
        v = _unit(v)
        product = path.hessian(0, own, v)
        size, v = inner_product(v, product).abs(), product
    return size


def _unit(v: Params) -> Params:
    length = inner_product(v, v).sqrt()
    return {name: value / length.clamp(min=1e-30) for name, value in v.items()}
