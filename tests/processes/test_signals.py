"""A stop at any moment: it is followed once, at the right moment, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest
from test_survival import TINY, begun, content, left_by

from fewstep.commands import train
from fewstep.launch.stopping import stoppable
from fewstep.processes import signals
from fewstep.records.pace import read_pace
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import WholeCheckpoints
from fewstep.run.observers.callbacks import Measure
from fewstep.run.stored import checkpoint


pytestmark = [pytest.mark.run, pytest.mark.process, pytest.mark.usefixtures("undrawn")]


WORDS = [*TINY, "max_meta_iterations=6", "hydra.run.dir=run"]
STOPPING = "already stopping. Another one, 10 s after the first, ends this at once"


@pytest.fixture
def heard() -> Iterator[None]:
    with signals.listening():
        yield


def come(*numbers: int) -> None:
    for number in numbers:
        signal.raise_signal(number)


# --- one process


@pytest.mark.parametrize("number", signals.STOP)
def test_the_first_signal_interrupts_and_later_ones_are_noted(number, heard, capfd):
    with pytest.raises(KeyboardInterrupt):
        come(number)
    assert signals.asked()
    come(*signals.STOP, *signals.STOP)
    assert capfd.readouterr().err.count(STOPPING) == 1
    with pytest.raises(KeyboardInterrupt):  # somebody has swallowed the first
        signals.proceed()


def test_what_is_half_done_is_not_interrupted(heard):
    signals.hold()
    come(signal.SIGTERM)
    signals.proceed()
    with pytest.raises(KeyboardInterrupt), signals.interruptible():
        pytest.fail("the stop was asked for before")
    signals.hold(False)
    with pytest.raises(KeyboardInterrupt):
        signals.proceed()


def test_a_part_of_it_may_be_interrupted(heard):
    signals.hold()
    with pytest.raises(KeyboardInterrupt), signals.interruptible():
        come(signal.SIGINT)


def fails_over_a_stop() -> None:
    """As a library's that tidies up behind what was interrupted half-way."""
    try:
        come(signal.SIGINT)
    finally:
        raise AttributeError("'NoneType' object has no attribute 'cache'")


def test_a_stop_that_became_an_error_is_a_stop(heard, tmp_path, capfd):
    with pytest.raises(SystemExit) as stop, stoppable(tmp_path):
        fails_over_a_stop()
    assert stop.value.code == 1
    assert capfd.readouterr().err.startswith("\nfewstep: stopped. There is no checkpoint in")


def test_an_error_of_its_own_stays_one(heard, tmp_path):
    assert not signals.became(ValueError())
    with pytest.raises(ValueError, match="mine"), stoppable(tmp_path):
        raise ValueError("mine")


def test_others_are_told_instead_and_waited_for(heard):
    told: list[str] = []
    with signals.instead(lambda: told.append("stop")):
        come(signal.SIGTERM, signal.SIGINT)
    assert told == ["stop"]
    with pytest.raises(KeyboardInterrupt):
        signals.proceed()


def test_a_stop_before_the_others_are_there_is_told_to_them(heard):
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        come(signal.SIGTERM)
    with signals.instead(lambda: told.append("stop")):
        assert told == ["stop"]


def test_after_the_end_nothing_is_interrupted_and_all_is_as_before():
    before = [signal.getsignal(n) for n in signals.STOP]
    with signals.listening():
        with signals.listening():
            signals.close()
            come(*signals.STOP)
        assert not signals.asked()
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert [signal.getsignal(n) for n in signals.STOP] == before
    signals.proceed()


@pytest.mark.parametrize("within", [False, True], ids=["alone", "in the console's"])
@pytest.mark.parametrize(("to_all", "ignored"), [(False, True), (True, False)])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_a_shell_has_ignored_stays_so_but_for_our_own_processes(
    number, to_all, ignored, within
):
    """SIGHUP by `nohup`, SIGINT where a script starts something in the background."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with signals.listening() if within else nullcontext(), signals.listening(to_all):
            assert (signal.getsignal(number) == signal.SIG_IGN) is ignored
        assert signal.getsignal(number) == signal.SIG_IGN or to_all
    finally:
        signal.signal(number, before)


ENDS = """
import os, signal, sys, time
from fewstep.processes import console, signals
signals.PATIENCE = 0.1
def main(words):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        {then}
    return 3
status = console.run(main)
for number in signals.STOP:
    signal.raise_signal(number)
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("then", "status", "says"),
    [
        ("raise", 1, "fewstep: stopped"),
        ("raise ValueError('half-made')", 1, "fewstep: stopped"),
        ("[signal.raise_signal(n) for n in signals.STOP]", 3, "already stopping"),
        ("signal.raise_signal(15); time.sleep(0.2); signal.raise_signal(15)", 1, "ended at once"),
    ],
)
def test_no_number_of_signals_ends_a_process_with_a_traceback(then, status, says):
    """Also not those that come when all is over."""
    code = ENDS.format(then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


# --- a training


def at(
    owner: type, name: str, when: Callable[[Any], bool], patch: pytest.MonkeyPatch, *also: int
) -> None:
    """Let SIGTERM come, and others after it, as a method is called the first time that `when`."""
    original, seen = getattr(owner, name), []

    def method(self: Any, *words: Any, **more: Any) -> Any:
        if not seen and when(self):
            seen.append(1)
            come(signal.SIGTERM, *also)
        return original(self, *words, **more)

    patch.setattr(owner, name, method)


def iteration(number: int) -> Callable[[MetaLearner], bool]:
    return lambda learner: learner.meta_iteration == number


ALWAYS: Callable[[Any], bool] = lambda _: True  # noqa: E731
MOMENTS = {
    "in the first inner loops": (MetaLearner, "directions", iteration(0), 0),
    "in inner loops": (MetaLearner, "directions", iteration(3), 3),
    "in the first outer step": (MetaLearner, "on_before_optimizer_step", iteration(0), 1),
    "in an outer step": (MetaLearner, "on_before_optimizer_step", iteration(3), 3),
    "in logging": (MetaLearner, "_log_training", iteration(3), 3),
    "in the first validation": (MetaLearner, "measure", iteration(2), 1),
    "in a validation": (MetaLearner, "measure", iteration(4), 3),
    "in the last validation": (MetaLearner, "measure", iteration(6), 5),
    "before a validation": (Measure, "on_train_batch_end", ALWAYS, 1),
    "in saving": (WholeCheckpoints, "save_checkpoint", ALWAYS, 1),
}
"""What a signal comes in, and the meta-iterations that are saved then."""
STOPS = [("in a validation", "serial"), *((moment, "auto") for moment in MOMENTS)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Callable[[str], dict]:
    """What a run leaves in an execution."""

    @cache
    def left(execution: str) -> dict:
        where = tmp_path_factory.mktemp("undisturbed")
        return left_by(where, *TINY, f"execution={execution}")

    return left


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "execution"), STOPS)
def test_a_stop_at_any_moment_is_saved(
    moment, execution, tmp_path, undisturbed, monkeypatch, capfd
):
    """With `checkpoint_every` at 500, as it is by itself: nothing else would be there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    owner, name, when, saved = MOMENTS[moment]
    with monkeypatch.context() as patch:
        at(owner, name, when, patch, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        with pytest.raises(SystemExit) as stop:
            train.main([*WORDS, f"execution={execution}", "checkpoint_every=500"])
    assert stop.value.code == 1
    message = capfd.readouterr().err
    assert "fewstep: stopped. Continue with: fewstep train resume=" in message
    assert "Traceback" not in message
    last = checkpoint.read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert last["fewstep"]["meta_iteration"] == saved
    assert read_pace(tmp_path / "run").meta_iteration == saved
    assert train.main([f"resume={tmp_path / 'run'}"]) == 0
    ours = content(tmp_path / "run")
    for kept in ("tensors", "metrics", "per_task"):
        assert ours[kept] == undisturbed(execution)[kept]


@pytest.mark.long
def test_twenty_stops_change_nothing(tmp_path):
    """At random moments from the first meta-iteration on, and by any of the signals."""
    words = [*TINY, "execution=auto", "max_meta_iterations=400", "checkpoint_every=500"]
    words += ["hydra.run.dir=run"]
    whole, moments = begun(tmp_path / "whole", *words), random.Random(0)
    whole.join()
    assert whole.exitcode == 0
    run, reached = tmp_path / "run", []
    last = run / "checkpoints" / "last.ckpt"
    for _ in range(20):
        process = begun(tmp_path, *([f"resume={run}"] if last.exists() else words))
        before = (run / "metrics.csv").stat().st_mtime_ns if last.exists() else 0
        while not (run / "metrics.csv").exists() or before == (
            (run / "metrics.csv").stat().st_mtime_ns
        ):
            time.sleep(0.005)
            assert process.is_alive()
        time.sleep(moments.uniform(0, 0.3))
        for number in moments.sample(signals.STOP, moments.randint(1, 3)):
            os.kill(process.pid, number)
        process.join()
        if process.exitcode == 0:  # it was through before
            break
        assert process.exitcode == 1
        reached.append(checkpoint.read(last)["fewstep"]["meta_iteration"])
    assert len(reached) > 5
    assert reached == sorted(reached)
    if process.exitcode:
        process = begun(tmp_path, f"resume={run}")
        process.join()
        assert process.exitcode == 0
    assert content(run) == content(tmp_path / "whole" / "run")
