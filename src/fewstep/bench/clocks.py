"""Clocks that are fair on a machine that others use as well: one turn of each, round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch


def seconds(turn: Callable[[], Any], calls: int, device: torch.device) -> float:
    """Of one call, in the mean of `calls`."""
    start = time.perf_counter()
    for _ in range(calls):
        turn()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / calls


def in_turn(
    turns: Mapping[str, Callable[[], Any]], device: torch.device, rounds: int, turn_seconds: float
) -> dict[str, list[float]]:
    """Seconds of one call of each in each round, [rounds], measured A B C, B C A, ...

    Each is called as often as fills about `turn_seconds`.
    """
    calls, names = {}, list(turns)
    for name, turn in turns.items():
        turn()  # the first call also allocates
        calls[name] = max(1, round(turn_seconds / seconds(turn, 1, device)))
    times: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(rounds):
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(seconds(turns[name], calls[name], device))
    return times


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """(lower quartile, median, upper quartile); one value is all three."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
