"""MAML with implicit gradients, iMAML (Rajeswaran et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.meta_gradient import MetaGradient
from fewstep.core.rules import Prox, inner_product
from fewstep.core.types import Params


@dataclass(frozen=True)
class IMAML(MetaGradient):
    """The gradient at the minimum of `L_support(w) + lam/2 |w - w0|^2`, whatever led there.

    `direction = (I + H / lam)^-1 v`, with H the Hessian of the support loss at the end of the path,
    by some steps of conjugate gradients from 0. Nothing but the end of the path is looked at, so
    that its length costs no memory.
    """

    inner: InnerLoop
    cg_steps: int = 5
    """Steps of conjugate gradients, a Hessian product each."""
    damping: float = 0.0
    """Added to the identity; the authors' code has 1."""
    lam_damping: float = 0.0
    """Added to lam in the solution alone; the authors' code has 10."""

    def __post_init__(self) -> None:
        rule = self.inner.rule
        if not isinstance(rule, Prox):
            raise ValueError(
                "algorithm.inner.rule: implicit gradients need the rule that is drawn back to the "
                f"start, and {type(rule).__name__} is not. Use algorithm.inner.rule=prox"
            )
        if not rule.lam > 0:
            raise ValueError(
                f"algorithm.inner.options.lam={rule.lam}: must be above 0, for implicit gradients "
                "divide by it. For example algorithm.inner.options.lam=2.0"
            )
        if self.inner.batch_size is not None:
            raise ValueError(
                f"algorithm.inner.batch_size={self.inner.batch_size}: implicit gradients are those "
                "of one loss, that of the whole support set. Use algorithm.inner.batch_size=null"
            )
        if self.cg_steps < 1:
            raise ValueError(
                f"algorithm.cg_steps={self.cg_steps}: must be at least 1. For example "
                "algorithm.cg_steps=5"
            )
        for name in ("damping", "lam_damping"):
            if not (value := getattr(self, name)) >= 0:
                raise ValueError(f"algorithm.{name}={value}: must be at least 0. For example 0.0")

    @property
    def kept(self) -> int:
        return 0

    def hessian_products(self) -> int:
        return self.cg_steps + bool(self.inner.fixed)

    def pull_back(self, path: Path, v: Params) -> Params:
        end = path.params[-1]
        lam = end.get("inner/lam", self._lam)
        own = {n: e for n, e in v.items() if not n.startswith("inner/")}
        moved = {n for n in own if self.inner.adapts(n)}
        still = {n: torch.zeros_like(e) for n, e in own.items() if n not in moved}

        def curved(e: Params) -> Params:
            """H e / lam: of what the task moves, and by what it does not move."""
            product = path.hessian(path.steps - 1, end, e | still)
            return {n: product[n] / (lam + self.lam_damping) for n in own}

        def system(e: Params) -> Params:
            product = curved(e)
            return {n: (1 + self.damping) * e[n] + product[n] for n in moved}

        solved = conjugate_gradients(system, {n: own[n] for n in moved}, self.cg_steps)
        found = dict(solved)
        if still:
            product = curved(solved)
            found |= {n: own[n] - product[n] for n in still}
        if "inner/lam" in v:
            way = {n: end[n] - path.first[n] for n in moved}
            found["inner/lam"] = -inner_product(way, solved) / lam
        return {n: found.get(n, e) for n, e in v.items()}

    @property
    def _lam(self) -> float:
        assert isinstance(self.inner.rule, Prox)
        return self.inner.rule.lam


def conjugate_gradients(system, b: Params, steps: int) -> Params:
    """Solves `system(x) = b` from 0, for a symmetric positive system: no further where that turns
    out not to be, nor where the solution is found."""
    x = {n: torch.zeros_like(e) for n, e in b.items()}
    rest, way = b, b
    length = inner_product(rest, rest)
    for _ in range(steps):
        product = system(way)
        bend = inner_product(way, product)
        size = _where(bend > 0, length, bend)
        x = {n: e + size * way[n] for n, e in x.items()}
        rest = {n: e - size * product[n] for n, e in rest.items()}
        shorter = inner_product(rest, rest)
        turn = _where((bend > 0) & (length > 0), shorter, length)
        # From a direction that bends the wrong way on, nothing moves any more.
        way = {n: torch.where(bend > 0, e + turn * way[n], 0.0) for n, e in rest.items()}
        length = shorter
    return x


def _where(fine: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """A quotient, and 0 where it is not fine; both branches are finite."""
    return torch.where(fine, above / torch.where(fine, below, 1.0), 0.0)
