"""Measures what fewstep costs and writes benchmarks/results: `make bench-costs`, or some parts with
`python -m costs.run memory start`. On a quiet machine; `--quick` tries everything out."""

from __future__ import annotations

import argparse
import os
import sys
import time

from costs import (
    beside,
    classes,
    family,
    gpu,
    growth,
    memory,
    meta_tests,
    overhead,
    ranks,
    record,
    start,
    timeline,
)
from peers.quiet import BUSY


PARTS = {
    "memory": memory,
    "meta_tests": meta_tests,
    "family": family,
    "beside": beside,
    "growth": growth,
    "classes": classes,
    "start": start,
    "overhead": overhead,
    "ranks": ranks,
    "timeline": timeline,
    "gpu": gpu,
}
PATIENCE = 600
"""Seconds that a part waits for the load to fall, which the part before it has raised."""


def main() -> int:
    """Parse the command line, run the parts one after another, print and write what they found; 1
    where a part does not keep what is asked of it, 0 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m costs.run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing is written")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    missed: list[str] = []
    for name in arguments.parts or PARTS:
        if not arguments.quick:
            wait_until_quiet(name)
        circumstances, began = record.circumstances(name), time.perf_counter()
        figures = PARTS[name].measure(arguments.quick)
        held = PARTS[name].verdicts(figures)
        missed += [f"{name}: {claim}" for claim, holds in held.items() if not holds]
        text = PARTS[name].markdown(figures) + record.told(held)
        print(f"\n{text}\n({name}: {time.perf_counter() - began:.0f} s)", flush=True)
        if not arguments.quick:
            record.write(name, circumstances, figures, text)
    if missed:
        print("does not hold:", *missed, sep="\n  ", file=sys.stderr)
    return 1 if missed and not arguments.quick else 0


def wait_until_quiet(part: str) -> None:
    """Before a part is timed whose figures are written.

    Raises:
        SystemExit: the load does not fall.
    """
    began = time.monotonic()
    while (load := os.getloadavg()[0]) > BUSY:
        if time.monotonic() - began > PATIENCE:
            raise SystemExit(
                f"{part}: load average {load:.2f} for {PATIENCE // 60} minutes, where at most "
                f"{BUSY} disturbs no clock. Stop what else runs, or try --quick"
            )
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
