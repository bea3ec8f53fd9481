"""1,000 meta-tests in a row, each a whole `Trainer.test` of its own: does the process grow?"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from costs.record import MIB, in_own_process, table
from fewstep.bench.subject import open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.config.room import resident
from fewstep.run.construction.assembly import assemble
from fewstep.run.lightning import quiet_lightning
from fewstep.run.testing.results import Entrant
from fewstep.run.training import meta_test


TESTS, QUICK, POINTS = 1000, 40, 20
WORDS = ["trainer=cpu", "eval.tasks=4", "eval.steps=5", "eval.curve_tasks=2"]


def measure(quick: bool) -> dict[str, Any]:
    """The process's memory along the way, and its slope over the second half."""
    series = in_own_process("costs.meta_tests", str(QUICK if quick else TESTS))["series"]
    late = series[len(series) // 2 :]
    tests, sizes = zip(*late, strict=True)
    slope, _ = statistics.linear_regression(tests, sizes)
    return {"overrides": WORDS, "series": series, "bytes_a_test": slope}


def markdown(figures: dict[str, Any]) -> str:
    """Some points of the series and the slope."""
    series = figures["series"]
    chosen = series[:: max(1, len(series) // 5)]
    body = [[str(test), f"{size / MIB:.1f}"] for test, size in chosen]
    slope = f"Slope over the second half: {figures['bytes_a_test'] / 1024:.2f} KiB a meta-test."
    head = ["meta-tests done", "process, MiB"]
    return f"## Meta-tests in a row\n\n{table(head, body)}\n\n{slope}\n"


def run(tests: int) -> list[tuple[int, int]]:
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
    print(json.dumps({"series": run(int(sys.argv[1]))}))
