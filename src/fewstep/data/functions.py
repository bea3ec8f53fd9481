"""One's own tasks from a function: what a program draws, as a dataset."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.core.objectives import Objective, Regression
from fewstep.core.types import SPLITS, Episode, EpisodeSpec
from fewstep.data.rows import check_there, inputs_of, placed
from fewstep.data.sampler import Draws, check_counts


Function = Callable[[np.random.Generator, EpisodeSpec], Any]
"""From a task's own generator and its spec to its tensors."""

PARTS = ("support_x", "support_y", "query_x", "query_y")
"""What it returns, in this order."""


class FunctionTasks:
    """Tasks that a function draws, as a dataset: without an end, and each a function of its place.

        def waves(rng, spec):
            a, b = rng.uniform(0.1, 5), rng.uniform(0, 2 * np.pi)
            x = rng.uniform(-5, 5, spec.ways * (spec.shots + spec.queries))
            y, n = a * np.sin(x + b), spec.ways * spec.shots
            return x[:n], y[:n], x[n:], y[n:]

    All that is random comes from `rng`, so that task `i` is the same wherever and whenever it is
    drawn. It returns inputs and targets of the support, `spec.ways * spec.shots` examples, and of
    the queries, `spec.ways * spec.queries`; one number an example may be [n] or [n, 1]. Targets
    that are whole numbers are positions of classes.
    """

    def __init__(
        self, function: Function, *, name: str = "functions", objective: Objective | None = None
    ) -> None:
        """
        Args:
            function: it draws one task.
            name: of the dataset, in records and messages.
            objective: losses and metrics; None is the squared error.

        Raises:
            ValueError: it is no function.
        """
        if not callable(function):
            kind = type(function).__name__
            raise ValueError(f"function: is a {kind}. Give a function(rng, spec)")
        self.function, self.name = function, name
        self.objective = objective or Regression()

    def open(self) -> dict[str, FunctionSplit]:
        """The splits `train`, `val` and `test`: each an endless row of tasks of its own."""
        return {split: FunctionSplit(split, self.function) for split in SPLITS}


class FunctionSplit:
    """Endless tasks that a function draws; implements `fewstep.core.types.Split`."""

    interval = "open"

    def __init__(self, name: str, function: Function) -> None:
        self.name, self.function = name, function
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def __repr__(self) -> str:
        return f"<{self.name} split of {_called(self.function)}>"

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> FunctionSplit:
        """The same split with its episodes on a device and in a dtype."""
        moved = copy.copy(self)
        moved.device, moved.dtype = torch.device(device), dtype
        return moved

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`, on the device and in the dtype of this split.

        Raises ValueError for what the function returns that is no task of this spec.
        """
        draws = Draws(seed, self.name, index)
        parts = (placed(part, self.device, self.dtype) for part in self._drawn(draws, spec))
        support_x, support_y, x, y = parts
        batches, key = (torch.from_numpy(rows) for rows in (draws.batches(spec), draws.key()))
        rows = batches.to(self.device), key.to(self.device)
        return Episode(support_x, support_y, x, y, *rows)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """The numbers of the task themselves."""
        parts = self._drawn(Draws(seed, self.name, index), spec)
        return b"".join(part.contiguous().numpy().tobytes() for part in parts)

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError if the function draws no task of a spec, or another each time."""
        check_counts(spec)
        first, again = (self._drawn(Draws(0, self.name, 0), spec) for _ in range(2))
        if not all(map(torch.equal, first, again)):
            raise ValueError(
                f"{_called(self.function)} draws another task from the same generator: a run could "
                "not be repeated. Take all that is random from its first argument"
            )

    def _drawn(self, draws: Draws, spec: EpisodeSpec) -> list[Tensor]:
        """The four parts of a task, on the CPU, held against the spec."""
        called = _called(self.function)
        try:
            made = self.function(draws.generator(), spec)
        except Exception as error:  # whatever somebody's function raises
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{called} fails on {spec} ({reason}). Correct it") from error
        several = isinstance(made, (tuple, list))
        if not several or len(made) != len(PARTS):
            found = f"{len(made)} values" if several else f"a {type(made).__name__}"
            raise ValueError(f"{called} returns {found}: must be {', '.join(PARTS)}, four arrays")
        parts = []
        for name, part in zip(PARTS, made, strict=True):
            each = "shots" if name.startswith("support") else "queries"
            needed = spec.ways * getattr(spec, each)
            rows = _rows(part, name, f"{called}: {name}")
            if len(rows) != needed:
                raise ValueError(
                    f"{called}: {name}: has {len(rows)} examples, and spec.ways * spec.{each} = "
                    f"{needed} are needed. Draw as many as the spec asks for"
                )
            parts.append(rows)
        for support, queries, name in ((0, 2, "query_x"), (1, 3, "query_y")):
            ours, theirs = (list(parts[i].shape[1:]) for i in (support, queries))
            if ours != theirs:  # which a loss would broadcast, and measure something else
                raise ValueError(
                    f"{called}: {name}: its examples are of {theirs or 'one number'}, and those of "
                    f"{PARTS[support]} of {ours or 'one number'}. Draw both alike"
                )
        return parts


def _rows(part: Any, name: str, what: str) -> Tensor:
    """One number an example as a column; but whole numbers that are targets, which are classes."""
    check_there(part, what)
    array = part if isinstance(part, Tensor) else np.asarray(part)
    # A copy: a function may fill the same array for every task.
    rows = inputs_of(array[:, None] if array.ndim == 1 else array, what).clone()
    classes = array.ndim == 1 and name.endswith("_y") and not rows.is_floating_point()
    return rows[:, 0].long() if classes else rows


def _called(function: Function) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))
