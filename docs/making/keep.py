"""python -m making.keep outputs/runs/NAME/DATE docs/results/NAME/results_seed0.json

A run becomes a result that is committed: its results.json under a name of its own, and beside it
what every test task said, compressed, from which paired figures can be worked out again.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from fewstep.records.packed import pack


def keep(run: Path, results: Path) -> Path:
    """Copy the results of a run directory; the file with its per-task figures."""
    results.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "results.json", results)
    return pack(results, run)


if __name__ == "__main__":
    print(keep(*map(Path, sys.argv[1:])))
