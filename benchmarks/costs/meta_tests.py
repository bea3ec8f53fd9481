"""Does the process grow: over 1,000 meta-tests in a row, each a whole `Trainer.test` of its own,
and over the tasks of one long test, of 20 ways with copies, whose tensors are large?"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from costs.record import MIB, in_own_process, table
from fewstep.bench.subject import open_subject
from fewstep.commands import train
from fewstep.config.compose import compose_config, plain
from fewstep.config.room import resident
from fewstep.run.construction.assembly import assemble
from fewstep.run.lightning import quiet_lightning
from fewstep.run.testing.entrant import Entrant
from fewstep.run.training import meta_test


TESTS, QUICK, POINTS = 1000, 40, 20
MOST = 1.05
WORDS = ["trainer=cpu", "eval.tasks=4", "eval.steps=5", "eval.curve_tasks=2"]
TASKS, QUICK_TASKS = 1000, 40
LONG = ["algorithm=proto_fomaml", "shots=20w1s", "+model.norm=group", "eval.shift=1"]
LONG += ["eval.protocol=[support]", "eval.curve_tasks=0", "eval.val_every=null"]
LONG += ["max_meta_iterations=1", "baselines.random=false", "trainer=cpu"]


def measure(quick: bool) -> dict[str, Any]:
    """The process's memory along the way, and its slope over the second half."""
    series = in_own_process("costs.meta_tests", "tests", str(QUICK if quick else TESTS))["series"]
    tasks = in_own_process("costs.meta_tests", "tasks", str(QUICK_TASKS if quick else TASKS))
    return {
        "overrides": WORDS,
        "series": series,
        "bytes_a_test": _slope(series),
        "long": {
            "overrides": LONG,
            "series": tasks["series"],
            "bytes_a_task": _slope(tasks["series"]),
        },
    }


def _slope(series: list[tuple[int, int]]) -> float:
    """Bytes for each more that is done, over the second half."""
    done, sizes = zip(*series[len(series) // 2 :], strict=True)
    return statistics.linear_regression(done, sizes).slope


def markdown(figures: dict[str, Any]) -> str:
    """Some points of both series and their slopes."""
    long = figures["long"]
    tests = _part("meta-tests", "meta-test", figures["series"], figures["bytes_a_test"])
    tasks = _part("tasks", "task", long["series"], long["bytes_a_task"])
    by_time = "Tasks by the share of the command's time, start-up included."
    long_test = f"## The tasks of one meta-test\n\n{tasks}\n{by_time}\n"
    return f"## Meta-tests in a row\n\n{tests}\n{long_test}"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Whether the process is as large at the end as half of the way through."""
    every = {"meta-tests": figures["series"], "tasks of a long test": figures["long"]["series"]}
    return {
        f"the {many} of the second half make the process at most {MOST} times as large": series[-1][
            1
        ]
        <= MOST * series[len(series) // 2][1]
        for many, series in every.items()
    }


def _part(many: str, one: str, series: list[tuple[int, int]], slope: float) -> str:
    chosen = series[:: max(1, len(series) // 5)]
    body = [[str(done), f"{size / MIB:.1f}"] for done, size in chosen]
    text = f"Slope over the second half: {slope / 1024:.2f} KiB a {one}."
    return f"{table([f'{many} done', 'process, MiB'], body)}\n\n{text}\n"


def run_tasks(tasks: int) -> list[tuple[int, int]]:
    """`(tasks done, bytes of the process)` of a command whose time goes into one test of 20-way
    tasks with copies; the tasks by the share of its time, start-up included.

    The command and not its parts, and nothing is trimmed: the holes that a small tensor leaves in
    the C library's heap, which once grew to 24 GB, come about there alone.
    """
    sizes, ended = [], threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            sizes.append(resident())

    watching = threading.Thread(target=watch, daemon=True)  # it is no reason to stay
    watching.start()
    with tempfile.TemporaryDirectory() as folder:
        status = train.main([*LONG, f"eval.tasks={tasks}", f"hydra.run.dir={folder}/run"])
    ended.set()
    watching.join()
    if status:  # what it grew by is nothing that was to be measured
        raise RuntimeError(f"fewstep train ended with status {status}")
    every = max(1, len(sizes) // POINTS)
    return [(tasks * i // len(sizes), size) for i, size in enumerate(sizes) if i % every == 0]


def run_tests(tests: int) -> list[tuple[int, int]]:
    """`(meta-tests done, bytes of the process)` at steady intervals."""
    quiet_lightning()
    config = plain(compose_config("train", WORDS))
    subject, series = open_subject(assemble(config)), []
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        for done in range(1, tests + 1):
            with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
                entrant = Entrant("trained", "last", Path(folder))
                meta_test(subject.experiment, subject.tasks, entrant)
            if done % max(1, tests // POINTS) == 0:
                series.append((done, resident(trim=True)))
    return series


if __name__ == "__main__":
    run = {"tests": run_tests, "tasks": run_tasks}[sys.argv[1]]
    print(json.dumps({"series": run(int(sys.argv[2]))}))
