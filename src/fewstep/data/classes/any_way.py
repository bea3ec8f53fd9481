"""Any ways, any shots: how many of everything a task has is drawn with it.

The sampling of Meta-Dataset (Triantafillou et al. 2020, section 3.2 and appendix A), with the most
ways and shots of the setting in the place of their 50 ways and 100 shots: ways are uniform, the
size of the support set is a share of the largest, and it is divided among the classes unevenly,
in proportion to how many images they have and to a random weight between 1/2 and 2.

All of it is a function of (seed, split, task index), in a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fewstep.core.types import EpisodeSpec
from fewstep.data.sampler import SIZES, Draws, check_counts


FEWEST = 5
"""Ways that a task has at the least, or as many as it may have."""
LARGEST = 500
"""Examples in a support set, at the most."""


def check(spec: EpisodeSpec, split: str) -> None:
    """As `check_counts`, and raise ValueError, naming the keys, if nothing varies where it is asked
    for, or if a support set may be smaller than a minibatch without repeats."""
    check_counts(spec)
    if not spec.varies:
        return
    if spec.ways <= FEWEST and spec.shots == 1:
        shots = "shots.train_shots" if split == "train" else "shots.shots"
        raise ValueError(
            f"shots.ways={spec.ways}: with {shots}=1 nothing varies, though shots.varies asks for "
            f"it: a task has from {FEWEST} ways and from 1 shot on. Raise one of them, for example "
            "shots=20w5s, or leave shots.varies out"
        )
    fewest = min(FEWEST, spec.ways)
    if spec.replacement and spec.batch_size and spec.batch_size > fewest:
        raise ValueError(
            f"algorithm.inner.batch_size={spec.batch_size}: with algorithm.replacement=true a "
            f"minibatch has no repeats inside it, and with shots.varies a support set may have no "
            f"more than {fewest} examples. Use algorithm.inner.batch_size={fewest} or less, or "
            "algorithm.replacement=false"
        )


def ways(spec: EpisodeSpec, draws: Draws) -> int:
    """From `FEWEST` to `spec.ways`, each as likely as any other."""
    fewest = min(FEWEST, spec.ways)
    return fewest + int(_shares(draws, 1)[0] * (spec.ways - fewest + 1))


def shots(spec: EpisodeSpec, draws: Draws, counts: Sequence[int]) -> tuple[int, ...]:
    """Of each class, from 1 to `spec.shots`; `counts` are the images that the classes have, of
    which `spec.queries` are not for the support set."""
    share, *rest = _shares(draws, 2 + len(counts))[1:]
    most = [min(spec.shots, count - spec.queries) for count in counts]
    size = min(LARGEST, sum(math.ceil((1 - share) * own) for own in most))
    weights = [count * 2 ** (2 * u - 1) for count, u in zip(counts, rest, strict=True)]
    spare = max(0, size - len(counts)) / sum(weights)
    return tuple(min(1 + int(w * spare), own) for w, own in zip(weights, most, strict=True))


def _shares(draws: Draws, n: int) -> list[float]:
    """The first n of the task's numbers in [0, 1)."""
    return [(word >> 11) / (1 << 53) for word in draws.words(SIZES, n).tolist()]
