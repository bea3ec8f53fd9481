"""python -m making.keep outputs/runs/NAME/DATE docs/results/NAME/results_seed0.json
python -m making.keep outputs/sweeps/NAME docs/results/systems/NAME

A run becomes a result that is committed: its results.json under a name of its own, and beside it
what every test task said, compressed, from which paired figures can be worked out again. Of a
sweep, every job that has finished is kept, with the words that make this job alone; in the folder
of another sweep, under its own name.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import yaml

from fewstep.records.asked import kept_words, words_of
from fewstep.records.packed import pack
from fewstep.report.runs.gather import Run


def keep(run: Path, results: Path) -> Path:
    """Copy the results of a run directory; the file with its per-task figures."""
    results.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "results.json", results)
    words = words_of(run) if Run(run).sweep else None
    if words is not None:
        kept_words(results).write_text(yaml.safe_dump(words))
    return pack(results, run)


def keep_all(sweep: Path, folder: Path) -> list[Path]:
    """Copy the results of a sweep's jobs, each under its number and its label."""
    kept, own = [], "" if sweep.name == folder.name else f"{sweep.name}_"
    for file in sorted(sweep.glob("*/results.json")):
        label = json.loads(file.read_text())["label"] or sweep.name
        name = re.sub(r"\W+", "_", f"results_{own}{file.parent.name}_{label}")
        kept.append(keep(file.parent, folder / f"{name}.json"))
    return kept


if __name__ == "__main__":
    run, to = map(Path, sys.argv[1:])
    print(*([keep(run, to)] if to.suffix == ".json" else keep_all(run, to)), sep="\n")
