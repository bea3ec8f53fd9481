"""What to expect of a classifier on pictures that it has not seen, from those that it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor
from tqdm import tqdm

from fewstep.messages.errors import some
from fewstep.messages.printable import printable
from fewstep.records.statistics.intervals import exact_upper, wilson


ALONE = 30
"""Pictures up to which each is left out by itself."""
FOLDS = 10
"""Parts of each class that are left out in turn where there are more."""
FEWER = 1.4
"""How many left-out pictures say no more than an independent one, where they err low; chosen with
`DOUBT`."""
DOUBT = 0.5
"""Standard deviation of a temperature's logarithm, before there are answers; chosen on the
meta-validation characters of glyphs and on photographs (`hands.coverage`)."""

LeftOut = Callable[[Tensor, Tensor, int, Sequence[Tensor]], Iterable[Tensor]]
"""From inputs, classes, their number, and parts of the examples, to logits [len(part), N] each."""


@dataclass(frozen=True)
class Expected:
    """The accuracy on other pictures, as far as the given ones can tell."""

    right: int
    """Left-out pictures that were told right."""
    of: int
    """Pictures that were left out; 0 where nothing can be estimated."""
    answers: tuple[Any, ...]
    """For each given picture the class that it was told to be, left out; None where it was not."""
    temperature: float
    """What makes the left-out pictures' probabilities what they say; 1 where there are none."""
    single: tuple[Any, ...] = ()
    """Classes of one picture, which cannot be left out."""

    @property
    def accuracy(self) -> float | None:
        """The share of left-out pictures that were told right; None where there are none."""
        return self.right / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the accuracy."""
        return interval(self.right, self.of) if self.of else None

    @property
    def headline(self) -> str:
        """The accuracy and its interval in words."""
        if not self.of:
            return "expected accuracy: nothing can be estimated from one picture a class"
        low, high = interval(self.right, self.of)
        share = 100 * self.right / self.of
        return (
            f"expected accuracy: {share:.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} "
            "%)"
        )

    @property
    def basis(self) -> str:
        """What it rests on; nothing where nothing can be estimated."""
        if not self.of:
            return ""
        hits = f"{self.right} of {self.of} pictures right when left out"
        if not self.single:
            return hits
        single = some([*map(printable, self.single)], 3)
        return f"{hits}; of {single} there is one picture, which tells nothing"

    def __str__(self) -> str:
        return f"{self.headline}: {self.basis}" if self.basis else self.headline


def expect(
    left_out: LeftOut,
    x: Tensor,
    y: Tensor,
    classes: Sequence[Any],
    progress: bool,
) -> Expected:
    """Leave examples out, learn from the others, and ask.

    Args:
        left_out: what those that learned the others say to each part.
        x: [n, ...], inputs.
        y: [n] int64, places among the classes.
        classes: [N].
        progress: show a bar on stderr.
    """
    parts, ways = folds(y), len(classes)
    answers: list[Any] = [None] * len(y)
    logits, truth = [], []
    said = left_out(x, y, ways, parts) if parts else ()
    bar = tqdm(said, "leaving out", len(parts), leave=False, disable=not progress, delay=1)
    for part, answered in zip(parts, bar, strict=True):
        for place, row in zip(part.tolist(), answered, strict=True):
            answers[place] = classes[int(row.argmax())]
        logits.append(answered)
        truth.append(y[part])
    counts = torch.bincount(y, minlength=ways)
    single = tuple(classes[c] for c in range(ways) if counts[c] == 1)
    if not parts:
        return Expected(0, 0, tuple(answers), 1.0, single)
    found, right = torch.cat(logits), torch.cat(truth)
    hits = int((found.argmax(1) == right).sum())
    return Expected(hits, len(right), tuple(answers), temperature(found, right), single)


def interval(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of the accuracy on other pictures, where `right` of those left out were.

    Wilson's, with another upper end: the exact one of `FEWER` times fewer pictures. What is left
    out is told by fewer examples than there are, and all answers hang on the same few, so that
    their share errs low, and by more than that of independent ones.
    """
    low, _ = wilson(right, of)
    return low, exact_upper(right / FEWER, of / FEWER)


def folds(y: Tensor) -> list[Tensor]:
    """The places of the examples to leave out, part by part; of a class of one, never its own."""
    counts = torch.bincount(y)
    several = [i for i, c in enumerate(y.tolist()) if counts[c] > 1]
    if len(y) <= ALONE:
        return [torch.tensor([i]) for i in several]
    within: dict[int, int] = {}
    parts: list[list[int]] = [[] for _ in range(FOLDS)]
    for i in several:
        c = int(y[i])
        # Classes begin one after another, so that small ones do not all fall into one part.
        parts[(within.setdefault(c, 0) + c) % FOLDS].append(i)
        within[c] += 1
    return [torch.tensor(part) for part in parts if part]


def temperature(logits: Tensor, truth: Tensor) -> float:
    """What divides logits [n, N] so that they are likeliest (Guo et al. 2017), when before seeing
    any its logarithm is thought to be 0 give or take `DOUBT`: few examples, all right, say little.
    """
    wide = logits.double()

    def loss(log_t: float) -> float:
        seen = F.cross_entropy(wide / math.exp(log_t), truth, reduction="sum")
        return float(seen) + (log_t / DOUBT) ** 2 / 2

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(math.exp(found.x))
