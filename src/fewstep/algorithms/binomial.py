"""BinomMAML (arXiv 2604.13263), and truncated MAML, which is a case of it."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.algorithm import refuse_memory
from fewstep.algorithms.meta_gradient import MetaGradient
from fewstep.core.types import Params


@dataclass(frozen=True)
class Binomial(MetaGradient):
    """MAML's gradient `prod_k (I - a H_k) v` without its products of more than `order` Hessians,
    and without the Hessians before the last `window` steps.

    Order 0 is first-order MAML, order = window truncates the path, order = steps is MAML.
    """

    inner: InnerLoop
    order: int = 1
    window: int | None = None

    def __post_init__(self) -> None:
        check_order(self.inner, self.order, self.window)

    @property
    def kept(self) -> int | None:
        return self.window

    def hessian_products(self) -> int:
        return self.order * ((self.window or self.inner.steps) - self.order + 1)

    def pull_back(self, path: Path, v: Params) -> Params:
        window = self.window or path.steps
        return (_in_rounds if path.side_by_side else _in_turn)(path, v, self.order, window)


def _in_turn(path: Path, v: Params, order: int, window: int) -> Params:
    """One product after another, in no more memory than one takes."""
    sums = [v] * (order + 1)
    for back in range(1, window + 1):
        low, high = max(1, order - (window - back)), min(order, back)
        for i in range(high, low - 1, -1):  # sums[i] holds products of at most i Hessians
            e, pulled = sums[i - 1], path.vjp(path.steps - back, sums[i - 1])
            sums[i] = {n: s - (e[n] - pulled[n]) for n, s in sums[i].items()}
        sums[high + 1 :] = sums[high : high + 1] * (order - high)
    return sums[order]


def _in_rounds(path: Path, v: Params, order: int, window: int) -> Params:
    """As many products, those of each order at once: after t rounds `sums[i]` holds products of at
    most t Hessians, of the steps from `first + i` on."""
    first = path.steps - window + order
    sums = [v] * (window - order + 1)
    for _ in range(order):
        first -= 1
        rest, added = sums[-1], []  # of the later steps the products are whole already
        for e, pulled in reversed(list(zip(sums, path.vjps(first, sums), strict=True))):
            rest = {n: s - (e[n] - pulled[n]) for n, s in rest.items()}
            added.append(rest)
        sums = added[::-1]
    return sums[0]


def check_order(inner: InnerLoop, order: int, window: int | None) -> None:
    """Refuse what is no part of the path, and rules whose steps hang together.

    Raises:
        ValueError: naming the keys.
    """
    steps, last = inner.steps, inner.steps if window is None else window
    if not 1 <= last <= steps:
        raise ValueError(
            f"algorithm.window={window}: must be a whole number from 1 to algorithm.inner.steps="
            f"{steps}, or null for all steps. For example algorithm.window=1"
        )
    if not 0 <= order <= last:
        limit = f"algorithm.window={window}" if window else f"algorithm.inner.steps={steps}"
        raise ValueError(
            f"algorithm.order={order}: must be a whole number from 0 to {limit}. For example "
            "algorithm.order=1"
        )
    refuse_memory(inner, "a binomial estimate")
