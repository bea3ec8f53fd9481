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
from fewstep.data.sampler import SIZES, Draws


FEWEST = 5
"""Ways that a task has at the least, or as many as it may have."""
LARGEST = 500
"""Examples in a support set, at the most."""


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
