"""What is timed beside others is published of a quiet machine alone."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from costs import run
from peers import past, quiet, report


@pytest.mark.parametrize(
    ("load", "others", "told"),
    [
        (0.2, 0.01, None),
        (0.31, 0.01, "load average 0.31 before, others took 0.01 of a core meanwhile: a sitting "),
        (0.2, 1.99, "load average 0.20 before, others took 1.99 of a core meanwhile: a sitting "),
        (math.nan, 0.0, "load average nan before"),
    ],
)
def test_a_sitting_that_others_disturbed_is_not_written(load, others, told) -> None:
    machine = {"before": {"load": load}, "others": others}
    if told is None:
        return quiet.refuse_disturbed(machine)
    with pytest.raises(SystemExit, match=told):
        quiet.refuse_disturbed(machine)
    return None


def test_sittings_are_apart(monkeypatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    for ago, told in ((timedelta(hours=20), None), (timedelta(minutes=29), "29 minutes ago: thr")):
        date = (datetime.now(UTC) - ago).isoformat(timespec="seconds")
        monkeypatch.setattr(report, "sittings", lambda date=date: [{"date": date}])
        if told is None:
            quiet.refuse_unless_quiet()
        else:
            with pytest.raises(SystemExit, match=told):
                quiet.refuse_unless_quiet()
    monkeypatch.setattr(os, "getloadavg", lambda: (4.2, 0.1, 0.1))
    with pytest.raises(SystemExit, match=r"load average 4.20: a sitting wants at most 0.3"):
        quiet.refuse_unless_quiet()


def test_the_costs_wait_for_the_load_to_fall_and_not_for_ever(monkeypatch) -> None:
    loads = iter([1.9, 0.7, 0.3])
    monkeypatch.setattr(os, "getloadavg", lambda: (next(loads), 0.0, 0.0))
    monkeypatch.setattr(run.time, "sleep", lambda _: None)
    run.wait_until_quiet("memory")
    assert next(loads, None) is None
    monkeypatch.setattr(os, "getloadavg", lambda: (1.9, 0.0, 0.0))
    monkeypatch.setattr(run, "PATIENCE", -1)
    with pytest.raises(SystemExit, match=r"memory: load average 1.90 for .* minutes"):
        run.wait_until_quiet("memory")


def test_two_checkouts_are_held_apart_by_students_t(monkeypatch) -> None:
    logs = iter([-0.10, -0.01, -0.13])
    monkeypatch.setattr(past, "_round", lambda *_, **__: next(logs))
    mean, low, high = past.compare("reptile", Path(), 3)
    half = 4.30265 * 0.0624500 / math.sqrt(3)
    assert (mean, low, high) == pytest.approx(
        (math.exp(-0.08), math.exp(-0.08 - half), math.exp(-0.08 + half)), rel=1e-5
    )
