"""This checkout's engine beside another one's: `python benchmarks/peers/past.py CHECKOUT`.

Each works in a process of its own and the two take turns, so that what disturbs the machine
disturbs both. Every round starts both anew: where a process has its memory decides some percent
of its speed, so that turns of one pair differ less than two pairs do (one checkout beside itself:
1.10, 1.03 to 1.18). Exits with 1 where a row's whole 95 % interval lies below `FLOOR`.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from fewstep.records.statistics.student import quantile95


FLOOR = 0.97
"""The other's time over ours: below it, this checkout has become slower."""
ROWS = ("reptile", "fomaml", "maml", "reptile20", "meta_test")
HERE = Path(__file__).parents[2]
TURNS = 3
"""Samples that each engine gives in a round, one after the other's."""


def work(row: str) -> None:
    """In a process of its own: a line in, the seconds of one sample out."""
    import torch

    from peers import measure
    from peers.with_fewstep import Fewstep
    from peers.work import ROWS as WORKS

    contestant = measure.fewstep_as_it_is(Fewstep, WORKS[row], torch.get_num_threads())
    contestant.sample(WORKS[row])
    print("ready", flush=True)
    for _ in sys.stdin:
        print(contestant.sample(WORKS[row]), flush=True)


class Engine:
    """A checkout's engine, warm and waiting."""

    def __init__(self, checkout: Path, row: str) -> None:
        paths = os.pathsep.join(str(checkout / part) for part in ("src", "benchmarks"))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--work", row],
            env=os.environ | {"PYTHONPATH": paths}, cwd=checkout, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{checkout}: the engine did not start")

    def sample(self) -> float:
        """Seconds of one meta-iteration, or of one meta-test."""
        assert self.process.stdin
        assert self.process.stdout
        time.sleep(0.05)  # until the other's threads no longer spin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def leave(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def compare(row: str, other: Path, rounds: int) -> tuple[float, float, float]:
    """The other's time over ours: its geometric mean over the rounds and the 95 % interval."""
    logs = [_round(row, other, ours_first=bool(round_ % 2)) for round_ in range(rounds)]
    half = quantile95(rounds - 1) * statistics.stdev(logs) / math.sqrt(rounds)
    mean = statistics.mean(logs)
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def _round(row: str, other: Path, *, ours_first: bool) -> float:
    """The logarithm of the other's time over ours, of two new processes."""
    engines = {checkout: Engine(checkout, row) for checkout in (other, HERE)}
    order = (HERE, other) if ours_first else (other, HERE)
    seconds = [{at: engines[at].sample() for at in order} for _ in range(TURNS)]
    for engine in engines.values():
        engine.leave()
    return statistics.mean(math.log(turn[other] / turn[HERE]) for turn in seconds)


def main() -> None:
    """Compare the rows one after another, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, nargs="?", help="another checkout of fewstep")
    parser.add_argument("--rounds", type=int, default=15, help="pairs of processes (15)")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS, metavar="ROW")
    parser.add_argument("--work", choices=ROWS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    if arguments.rounds < 2 or not arguments.checkout:
        parser.error("name another checkout, and give 2 rounds or more: an interval needs them")
    print(f"load before {os.getloadavg()[0]:.2f}, {arguments.rounds} rounds", flush=True)
    slower = []
    for row in arguments.only:
        ratio, low, high = compare(row, arguments.checkout.resolve(), arguments.rounds)
        print(f"{row:10} {ratio:.3f} ({low:.3f} to {high:.3f})", flush=True)
        slower += [row] * (high < FLOOR)
    if slower:
        raise SystemExit(f"slower than before: {', '.join(slower)}")


if __name__ == "__main__":
    main()
