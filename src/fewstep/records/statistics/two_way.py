"""How far a mean over seeds and tasks can be trusted where every seed meets the same tasks.

`d[s, i]` is a difference at seed s and task i: a mean, what is the seed's own, what is the task's
own, and the rest, all random. Averaging tasks within seeds first, or pooling them all, forgets one
of them; with few seeds either claims far too much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fewstep.records.statistics.student import half_width
from fewstep.records.statistics.two_parts import Part, two_sided


ROUNDING = 1e-12
"""A standard deviation below this is none."""


class Spread(NamedTuple):
    """The mean squares of a table of seeds and tasks, and their degrees of freedom."""

    seed: float
    task: float
    rest: float
    seeds: int
    tasks: int

    @property
    def variance(self) -> float:
        """Of the mean. `(seed + task - rest) / (S T)` is unbiased, and may come out below what the
        seeds alone, `seed / (S T)`, or the tasks alone, `task / (S T)`, add up to, which it truly
        never is. Then it is the larger of these."""
        return max(self._together, self.seed, self.task) / (self.seeds * self.tasks)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of that variance: Satterthwaite's, at least `S - 1`, but those of one
        part alone where it is that part, and `S - 1` where seeds spread more than tasks.

        By the sum's own formula, the first would have next to none, and intervals that cover
        99.9 %. The second has a chance of being large just where the few seeds happen to be alike,
        and covers down to 92.3 % with three of them. As it is, intervals cover 92.6 to 97.2 % with
        three seeds, 94.7 to 97.3 % with five and 87 to 97 % with two, simulated over spreads of
        tasks and of seeds from none to a hundred times that of the others.
        """
        a, b = self.seeds - 1, self.tasks - 1
        if self.seed >= self.task:
            return float(a)
        if self.seed < self.rest:
            return float(max(a, b))
        squares = self.seed**2 / a + self.task**2 / b + self.rest**2 / (a * b)
        return max(self._together**2 / squares, a)

    def chance(self, mean: float) -> float:
        """The p-value of such a mean, against zero. The error has two parts: the fewer of seeds and
        tasks with their own degrees of freedom, and what the many add. Where the few happen to be
        alike, that is less than the many by themselves, whose p-value it is then."""
        cells = self.seeds * self.tasks
        of_seeds, of_tasks = (self.seed, self.seeds - 1), (self.task, self.tasks - 1)
        (few, one), (many, other) = sorted((of_seeds, of_tasks), key=lambda part: part[1])
        alone = Part(math.sqrt(many / cells), other)
        more = alone._replace(deviation=math.sqrt(max(many - self.rest, 0.0) / cells))
        both = chance(mean, (Part(math.sqrt(few / cells), one), more))
        return max(both, chance(mean, (alone, Part(0.0, other))))

    @property
    def single(self) -> float:
        """The standard deviation of one difference, that of one seed in one task."""
        seed = max(self.seed - self.rest, 0.0) / self.tasks
        task = max(self.task - self.rest, 0.0) / self.seeds
        return math.sqrt(seed + task + self.rest)

    @property
    def _together(self) -> float:
        return self.seed + self.task - self.rest


@dataclass(frozen=True)
class Mean:
    """A mean, with what can be said of it."""

    mean: float
    half_width: float
    """Of its 95 % interval; not a number where nothing tells the spread."""
    p: float
    """Two-sided, against zero; not a number likewise. It holds far out, where many comparisons are
    judged (`two_parts`), and may be above 5 % though the interval just leaves zero out."""
    effect: float | None
    """The mean over the standard deviation of one difference: Cohen's d_z of one training in one
    task. Unlike p, it does not grow with more tasks. None where nothing spreads."""
    freedom: float


def two_way(differences: Sequence[Sequence[float]] | np.ndarray) -> Mean:
    """The mean of differences [seeds, tasks] with its two-way random-effects interval.

    Of a single seed, the spread of tasks alone counts: nothing is known of other seeds. Of a
    single task, that of seeds.
    """
    d = np.asarray(differences, float)
    mean = float(d.mean())
    if min(d.shape) < 2:
        return _one_way(d.ravel(), mean)
    spread = mean_squares(d)
    found = known(mean, math.sqrt(spread.variance), spread.freedom, spread.single)
    return replace(found, p=spread.chance(mean))


def mean_squares(d: np.ndarray) -> Spread:
    """The two-way analysis of variance of a table [seeds, tasks] with one figure a cell."""
    seeds, tasks = d.shape
    by_seed, by_task = d.mean(1, keepdims=True), d.mean(0, keepdims=True)
    rest = d - by_seed - by_task + d.mean()
    return Spread(
        tasks * float(by_seed.var(ddof=1)),
        seeds * float(by_task.var(ddof=1)),
        float((rest**2).sum()) / ((seeds - 1) * (tasks - 1)),
        seeds,
        tasks,
    )


def chance(mean: float, parts: tuple[Part, Part]) -> float:
    """The p-value of a mean whose error has these parts, against zero.

    A mean that is zero to rounding is no difference. Where nothing spreads, it is that of so many
    figures of one sign: two that are equal are none that one could build on.
    """
    if math.isnan(sum(part.deviation for part in parts)):
        return math.nan
    if abs(mean) < ROUNDING:
        return 1.0
    if not any(part.deviation > ROUNDING for part in parts):
        return math.ldexp(1.0, -max(round(part.freedom) for part in parts))
    return two_sided(mean, *parts)


def known(mean: float, deviation: float, freedom: float, single: float | None = None) -> Mean:
    """A mean whose standard deviation was estimated with so many degrees of freedom."""
    if not freedom:
        return Mean(mean, math.nan, math.nan, None, 0)
    p = chance(mean, (Part(deviation, freedom), Part(0.0, freedom)))
    effect = mean / single if single is not None and single > ROUNDING else None
    return Mean(mean, half_width(deviation, freedom), p, effect, freedom)


def _one_way(values: np.ndarray, mean: float) -> Mean:
    count = len(values)
    single = float(values.std(ddof=1)) if count > 1 else 0.0
    return known(mean, single / math.sqrt(count), count - 1, single)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (1979): below 0.05 are those that stand though so many were tried,
    for the chance of any false one is 5 % at the most. What is not a number stays so, uncounted."""
    known_ones = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted, highest = list(p_values), 0.0
    for done, (p, place) in enumerate(known_ones):
        highest = max(highest, min(1.0, (len(known_ones) - done) * p))
        adjusted[place] = highest
    return adjusted
