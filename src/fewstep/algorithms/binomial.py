"""BinomMAML (arXiv 2604.13263), and truncated MAML, which is a case of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.algorithm import refuse_memory
from fewstep.algorithms.meta_gradient import MetaGradient
from fewstep.core.rules.learned import split
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
        return None if self.inner.rule.learns else self.window

    def hessian_products(self) -> int:
        return self.order * ((self.window or self.inner.steps) - self.order + 1)

    def pull_back(self, path: Path, v: Params) -> Params:
        own, learned = split(v)
        still = {n: torch.zeros_like(e) for n, e in learned.items()}
        window = self.window or path.steps
        way = _in_rounds if path.side_by_side else _in_turn
        # All of them only where they are asked for: each is as large as the network.
        sums = deque(way(path, own, still, self.order, window), None if learned else 1)
        for k in range(path.steps) if learned else ():
            after = sums[min(path.steps - k - 1, window)] | still
            moved = path.first_order(k, after)
            learned = {n: e + moved[n] for n, e in learned.items()}
        return sums[-1] | learned


def _in_turn(path: Path, v: Params, still: Params, order: int, window: int) -> Iterator[Params]:
    """One product after another, in no more memory than one takes.

    Args:
        v: the query gradient, by the network's parameters alone.
        still: zeros in the place of what the rule learns.

    Yields:
        The estimates of the derivative by where the path was 0, 1, ..., `window` steps before its
        end. What a rule learns at a step asks for the one behind it, at no further product.
    """
    sums = [v] * (order + 1)
    yield v
    for back in range(1, window + 1):
        low, high = max(1, order - (window - back)), min(order, back)
        for i in range(high, low - 1, -1):  # sums[i] holds products of at most i Hessians
            e, pulled = sums[i - 1], path.vjp(path.steps - back, sums[i - 1] | still)
            sums[i] = _less(sums[i], e, pulled)
        sums[high + 1 :] = sums[high : high + 1] * (order - high)
        yield sums[order]


def _in_rounds(path: Path, v: Params, still: Params, order: int, window: int) -> Iterator[Params]:
    """As many products, those of each order at once: after t rounds `sums[i]` holds products of at
    most t Hessians, of the steps from `first + i` on. Near the end there are no more than t."""
    first = path.steps - window + order
    sums = [v] * (window - order + 1)
    for _ in range(order):
        first -= 1
        yield sums[-1]  # of the later steps the products are whole already
        rest, added = sums[-1], []
        pulled = path.vjps(first, [e | still for e in sums])
        for e, product in reversed(list(zip(sums, pulled, strict=True))):
            rest = _less(rest, e, product)
            added.append(rest)
        sums = added[::-1]
    yield from reversed(sums)


def _less(e: Params, before: Params, pulled: Params) -> Params:
    """`e - a H before`, with what `before` is pulled back to."""
    return {n: own - (before[n] - pulled[n]) for n, own in e.items()}


def check_order(inner: InnerLoop, order: int, window: int | None) -> None:
    """Refuse what is no part of the path, and rules whose steps hang together.

    Raises:
        ValueError: naming the keys.
    """
    steps, last = inner.steps, inner.steps if window is None else window
    if not 1 <= last <= steps:
        # algorithm=truncated has the window follow the order, which is what its user gave.
        both = window == order
        raise ValueError(
            f"{f'algorithm.order={order} and ' if both else ''}algorithm.window={window}: must be "
            f"a whole number from 1 to algorithm.inner.steps={steps}, or null for all steps. For "
            f"example {'algorithm.order=1 ' if both else ''}algorithm.window=1"
        )
    if not 0 <= order <= last:
        limit = f"algorithm.window={window}" if window else f"algorithm.inner.steps={steps}"
        raise ValueError(
            f"algorithm.order={order}: must be a whole number from 0 to {limit}. For example "
            "algorithm.order=1"
        )
    refuse_memory(inner, "a binomial estimate")
