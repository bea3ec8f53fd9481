"""The speed in results.json is that of the training loop and of nothing else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fewstep.config.compose import compose_config, plain
from fewstep.run import training
from fewstep.run.construction.assembly import assemble
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import WholeCheckpoints
from fewstep.run.observers import stopwatch
from fewstep.run.observers.peak import WATCHED, Peak


pytestmark = [pytest.mark.run, pytest.mark.usefixtures("undrawn")]


WORDS = ["dataset=sine", "trainer=cpu", "meta_batch=3", "algorithm.inner.steps=1", "eval.tasks=2"]
WORDS += ["eval.steps=1", "eval.curve_tasks=1", "eval.val_tasks=2", "execution=serial"]
WORDS += ["eval.val_every=2", "eval.test_every=3", "eval.test_tasks=2", "checkpoint_every=4"]


class Clock:
    """Time as this test has it pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


def slowed(patch: pytest.MonkeyPatch, clock: Clock, owner: type, name: str, seconds: float) -> None:
    original = getattr(owner, name)

    def slow(*words, **more):
        clock.now += seconds
        return original(*words, **more)

    patch.setattr(owner, name, slow)


def seconds(folder: Path, *words: str) -> tuple[float, float | None]:
    config = plain(compose_config("train", [*WORDS, *words]))
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopwatch, "time", clock)
        slowed(patch, clock, MetaLearner, "directions", 0.5)
        slowed(patch, clock, MetaLearner, "measure", 1000.0)
        slowed(patch, clock, WholeCheckpoints, "save_checkpoint", 1e6)
        training.train(assemble(config), folder, "")
    results = json.loads((folder / "results.json").read_text())
    return results["train_seconds"], results["tasks_per_second"]


def test_neither_measuring_nor_saving_is_counted(tmp_path: Path) -> None:
    """Twelve meta-iterations of half a second, three tasks each; of five alone, the warm-up, there
    is no speed."""
    assert seconds(tmp_path / "12", "max_meta_iterations=12") == (6.0, 6.0)
    assert seconds(tmp_path / "5", "max_meta_iterations=5") == (2.5, None)


def test_the_speed_leaves_every_warm_up_out(monkeypatch) -> None:
    """Five slow meta-iterations, then quick ones, before a stop and after it."""
    clock, first = Clock(), stopwatch.Stopwatch()
    monkeypatch.setattr(stopwatch, "time", clock)
    second = stopwatch.Stopwatch()
    for watch in (first, second):
        second.load_state_dict(first.state_dict())
        watch.on_train_start(None, None)
        for each in [10.0] * 5 + [1.0] * 4:
            clock.now += each
            watch.on_train_batch_end()
    assert (second.seconds, second.meta_iterations) == (2 * (50.0 + 4.0), 8)
    assert second.tasks_per_second(3) == 3.0
    older = {"seconds": 4.0, "meta_iterations": 4}
    second.load_state_dict(older)
    assert (second.seconds, second.tasks_per_second(3)) == (4.0, 3.0)


def test_who_waits_sees_the_speed_of_this_start(monkeypatch) -> None:
    """A machine that was busy before the stop says nothing of the time that is left now."""
    clock, watch = Clock(), stopwatch.Stopwatch()
    monkeypatch.setattr(stopwatch, "time", clock)
    watch.load_state_dict({"seconds": 1000.0, "meta_iterations": 100, "all_seconds": 1000.0})
    watch.on_train_start(None, None)
    for _ in range(stopwatch.WARM_UP):
        watch.on_train_batch_end()
    assert math.isnan(watch.tasks_per_second_now(3))
    for _ in range(100):
        clock.now += 1.0
        watch.on_train_batch_end()
    assert watch.tasks_per_second_now(3) == 3.0
    assert watch.tasks_per_second(3) == pytest.approx(3 * 200 / 1100)


@pytest.mark.slow
def test_a_resumed_run_warms_up_again(tmp_path: Path) -> None:
    seconds(tmp_path, "max_meta_iterations=8")
    again = seconds(tmp_path, "max_meta_iterations=16", f"resume={tmp_path}")
    assert again == (0.5 * 16, 6.0)


def test_the_peak_is_that_of_the_first_meta_iterations() -> None:
    """Beyond what was held before them; what comes later is no part of it, and a resumed run knows
    what it was."""
    learner, peak = SimpleNamespace(device=torch.device("cpu")), Peak()
    trainer: Any = SimpleNamespace(callbacks=[peak])
    assert Peak.of(trainer) is None
    peak.on_train_start(trainer, learner)
    held = torch.ones(2**24)  # 64 MiB
    del held
    for _ in range(WATCHED):
        peak.on_train_batch_end(trainer, learner)
    assert 60 * 2**20 < (Peak.of(trainer) or 0) < 100 * 2**20
    held = torch.ones(2**26)
    peak.on_train_batch_end(trainer, learner)
    again = Peak()
    again.load_state_dict(peak.state_dict())
    assert again.bytes == peak.bytes < held.nbytes
