"""Times fewstep beside its peers and writes the table: `benchmarks/peers/run.sh --help`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch

from peers import agree, measure, report
from peers.side import Side
from peers.with_fewstep import Fewstep
from peers.with_higher import Higher
from peers.with_learn2learn import Learn2Learn
from peers.with_plain import Plain, PlainOnOurNet
from peers.with_torchopt import TorchOpt
from peers.work import ROWS, Work


PEERS: list[type[Side]] = [Learn2Learn, Higher, TorchOpt, Plain]
RESULTS = Path(__file__).parents[1] / "results"
BUSY = 0.3
"""A load average above which other processes disturb the clocks."""


def run(work: Work, rounds: int, threads: int) -> dict[str, Any]:
    """One row of the table."""
    peers = [Plain] if work.algorithm == "meta_test" else PEERS
    others = [*peers, PlainOnOurNet]
    print(f"{work.key}: comparing", end="", flush=True)
    agreement = agree.check(work, others)
    print(", choosing settings", end="", flush=True)
    tries = min(rounds, 5)
    contestants = {side.name: measure.at_its_best(side, work, threads, tries) for side in others}
    ours = measure.fewstep_as_it_is(Fewstep, work, threads)
    contestants = {Fewstep.name: ours, **contestants}
    ours.sample(work)  # the others are warm
    print(f", {rounds} rounds", flush=True)
    samples = {name: (lambda c=c: c.sample(work)) for name, c in contestants.items()}
    rates = {f"rate {n}": (lambda n=n: measure.matmul_rate(n)) for n in sorted({1, threads})}
    times = measure.interleaved({**samples, **rates}, rounds)

    medians = {name: measure.quartiles(times[name])[1] for name in contestants}
    fastest = min((side.name for side in peers), key=medians.__getitem__)
    pairs = zip(times[fastest], times[Fewstep.name], strict=True)
    rate = measure.quartiles(times[f"rate {threads}"])[1]
    return {
        "key": work.key,
        "title": work.title,
        "at_least": work.at_least,
        "aim": work.aim,
        "agreement": agreement,
        "sides": {
            name: {
                "settings": contestant.settings,
                "median_s": medians[name],
                "quartiles_s": measure.quartiles(times[name])[::2],
                "seconds": times[name],
            }
            for name, contestant in contestants.items()
        },
        "fastest_peer": fastest,
        "ratio": measure.quartiles([theirs / our for theirs, our in pairs]),
        "gflop": work.flops() / 1e9,
        "matmul_gflops": {
            str(n): measure.quartiles(times[f"rate {n}"])[1] / 1e9 for n in sorted({1, threads})
        },
        "share": work.flops() / medians[Fewstep.name] / rate,
    }


def main() -> None:
    """Parse the command line, run the rows, print and write the results."""
    parser = argparse.ArgumentParser(prog="benchmarks/peers/run.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (15)")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW",
                        help=f"some rows, not written to a file: {', '.join(ROWS)}")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="2 rounds, not written to a file")
    parser.add_argument("--check", action="store_true", help="compare the directions, time nothing")
    arguments = parser.parse_args()
    rounds, threads = 2 if arguments.quick else arguments.rounds, torch.get_num_threads()
    works = [ROWS[key] for key in arguments.only]
    if arguments.check:
        for work in works:
            print(work.key, agree.check(work, PEERS))
        return

    results = report.circumstances(threads)
    if results["machine"]["load_before"] > BUSY:
        print(f"warning: load average {os.getloadavg()[0]:.1f}: the figures will be disturbed")
    rows = [run(work, rounds, threads) for work in works]
    counts = rows[0]["matmul_gflops"]
    rate = {n: measure.quartiles([row["matmul_gflops"][n] for row in rows])[1] for n in counts}
    results |= {"rounds": rounds, "matmul_gflops": rate, "rows": rows}
    print("\n" + report.markdown(results))
    if arguments.quick or len(works) < len(ROWS):
        print("Not the whole run: no file was written.")
    else:
        report.write(results, RESULTS)


if __name__ == "__main__":
    main()
