"""Hessian-free MAML, HF-MAML (Fallah, Mokhtari and Ozdaglar 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.meta_gradient import MetaGradient
from fewstep.core.rules import SGD, inner_product
from fewstep.core.types import EpisodeSpec, Params


@dataclass(frozen=True)
class HessianFree(MetaGradient):
    """MAML's gradient with each Hessian product as a difference of two gradients.

        e <- e - lr (g_k(w_k + d e) - g_k(w_k - d e)) / 2d,   d = eps / |e|,   from the last step k

    The paper has one inner step; more of them, and a `d` that goes by the length of e, are our
    reading. First derivatives alone, and for smooth networks alone: a ReLU's bends are not seen.
    """

    inner: InnerLoop
    eps: float = 0.01
    """The length of the way on which a gradient is seen to change."""

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise ValueError(
                f"algorithm.eps={self.eps}: must be above 0. For example algorithm.eps=0.01"
            )
        if type(self.inner.rule) is not SGD:
            raise ValueError(
                "algorithm.inner.rule: differences of gradients need an inner rule without memory, "
                f"plain descent, and {type(self.inner.rule).__name__} is not. Use "
                "algorithm.inner.rule=sgd"
            )

    def gradients(self, spec: EpisodeSpec) -> int:
        return super().gradients(spec) + 2 * self.inner.steps

    def examples(self, spec: EpisodeSpec) -> int:
        minibatch = spec.batch_size or spec.ways * spec.shots
        return super().examples(spec) + 2 * self.inner.steps * minibatch

    def pull_back(self, path: Path, v: Params) -> Params:
        e = v
        for k in reversed(range(path.steps)):
            at = path.params[k]
            moved = {n: s for n, s in e.items() if self.inner.adapts(n)}
            length = inner_product(moved, moved).sqrt()
            some = length > 0
            d = self.eps / torch.where(some, length, 1.0)
            ahead = path.slope(k, at | {n: at[n] + d * s for n, s in moved.items()})
            behind = path.slope(k, at | {n: at[n] - d * s for n, s in moved.items()})
            size = self.inner.rule.lr / (2 * d)
            e = {n: torch.where(some, s - size * (ahead[n] - behind[n]), s) for n, s in e.items()}
        return e
