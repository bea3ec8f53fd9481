"""Times fewstep beside its peers and writes one sitting: `benchmarks/peers/run.sh --help`."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import torch
import torch._dynamo

from peers import agree, measure, quiet, report
from peers.side import Peer
from peers.with_fewstep import Fewstep
from peers.with_higher import Higher
from peers.with_learn2learn import Learn2Learn
from peers.with_plain import Plain, PlainOnOurNet
from peers.with_torchopt import TorchOpt
from peers.work import ROWS, Work


PEERS: list[type[Peer]] = [Learn2Learn, Higher, TorchOpt, Plain]
torch._dynamo.config.recompile_limit = 64  # of one net's code, which every copy shares


def run(work: Work, rounds: int, threads: int) -> dict[str, Any]:
    """One row of the table."""
    torch.compiler.reset()
    peers = [Plain] if work.algorithm == "meta_test" else PEERS
    others = [*peers, PlainOnOurNet]
    print(f"{work.key}: comparing", end="", flush=True)
    agreement = agree.check(work, others)
    print(", choosing settings", end="", flush=True)
    tries = min(rounds, 3)
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


def state(threads: int) -> dict[str, Any]:
    """The load, and what the machine can do at this moment."""
    load = round(os.getloadavg()[0], 2)
    rates = {
        str(n): measure.quartiles([measure.matmul_rate(n) for _ in range(9)])[1] / 1e9
        for n in sorted({1, threads})
    }
    return {"load": load, "gflops": rates}


def sit(works: list[Work], rounds: int, threads: int) -> report.Sitting:
    """All rows, between two looks at the machine."""
    sitting = report.circumstances(threads)
    sitting["machine"]["before"] = state(threads)
    busy, began = measure.cores_of_others(), time.perf_counter()
    rows = [run(work, rounds, threads) for work in works]
    others = (measure.cores_of_others() - busy) / (time.perf_counter() - began)
    sitting["machine"] |= {"others": round(others, 3), "after": state(threads)}
    return sitting | {"rounds": rounds, "rows": rows}


def main() -> None:
    """Parse the command line, run the rows, print and write the results."""
    parser = argparse.ArgumentParser(prog="benchmarks/peers/run.sh", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=quiet.ROUNDS,
        help=f"interleaved rounds ({quiet.ROUNDS}); of fewer no file is written",
    )
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
    whole = rounds >= quiet.ROUNDS and len(works) == len(ROWS)
    if whole:
        quiet.refuse_unless_quiet()
    sitting = sit(works, rounds, threads)
    print("\n" + report.markdown(sitting))
    if whole:
        quiet.refuse_disturbed(sitting["machine"])
    print(report.write(sitting) if whole else "Not a whole sitting: no file was written.")


if __name__ == "__main__":
    main()
