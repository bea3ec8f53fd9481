"""`fewstep report DIR...`: gather the results of many runs into one table.

Intervals over tasks and over seeds are kept apart: the first says how well one training was
measured, the second how much trainings differ.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.checks import ConfigError


SAME = ("name", "algorithm", "dataset", "meta_iterations", "init", "checkpoint", "ways", "shots")
"""What the runs of one row share; they differ in their seeds alone."""

PROTOCOLS = ("inductive", "transductive")

T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom."""


def main(words: Sequence[str] | None = None) -> int:
    """Print the table of the run directories or results.json files named; the exit status."""
    words = sys.argv[1:] if words is None else words
    try:
        print(markdown(rows(read(words))))
    except ConfigError as error:
        print(f"fewstep: {error}", file=sys.stderr)
        return 2
    return 0


def read(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Every results file in or under the paths, in the order of their names.

    Raises:
        ConfigError: a path that does not exist, or one without any results.
    """
    if not paths:
        raise ConfigError("name what to report: fewstep report outputs/runs/NAME [...]")
    found: list[dict[str, Any]] = []
    for path in map(Path, paths):
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder. Name run directories or sweeps")
        files = [path] if path.is_file() else sorted(path.rglob("results*.json"))
        if not files:
            raise ConfigError(f"{path}: no run has finished here, there is no results.json in it")
        found += [_load(file) for file in files]
    return found


def _load(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as results ({error})") from None
    if not isinstance(content, dict) or content.get("schema") != 1:
        raise ConfigError(f"{file}: is not a results.json that this version can read")
    return content


def rows(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each training and setting, its seeds gathered; protocols side by side."""
    gathered: dict[tuple, dict[str, Any]] = {}
    for run in runs:
        for result in run["results"]:
            entry = {**run, **result}
            key = tuple(entry.get(name) for name in SAME)
            row = gathered.setdefault(
                key, {**{name: entry.get(name) for name in SAME}, "seeds": set(), "cells": {}}
            )
            row["seeds"].add(run["seed"])
            row["steps"], row["tasks"] = result["steps"], result["tasks"]
            row["cells"].setdefault(result["protocol"], []).append(result)
    return list(gathered.values())


def cell(results: Sequence[Mapping[str, Any]]) -> str:
    """`78.82 ± 1.10` over tasks, and for several seeds their mean and the interval over seeds."""
    metric = "acc" if "acc" in results[0] else "loss"
    scale, digits = (100, 2) if metric == "acc" else (1, 4)
    values = [scale * r[metric] for r in results]
    # Every seed meets the same test tasks, so more seeds do not narrow the interval over tasks.
    over_tasks = scale * statistics.fmean(r[f"{metric}_ci95"] for r in results)
    text = f"{statistics.fmean(values):.{digits}f} ± {over_tasks:.{digits}f}"
    if len(values) < 2:
        return text
    quantile = T95[min(len(values) - 2, len(T95) - 1)]
    over_seeds = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return f"{text} (seeds ± {over_seeds:.{digits}f})"


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table; accuracies in percent, losses as they are."""
    protocols = [p for p in PROTOCOLS if any(p in row["cells"] for row in table)]
    head = ["run", "meta-iterations", "initialization", "setting", "steps", "tasks", "seeds"]
    lines = [[*head, *protocols], ["---"] * (len(head) + len(protocols))]
    for row in table:
        lines.append(
            [
                row["name"],
                f"{row['meta_iterations']:,}",
                row["init"] + (f" ({row['checkpoint']})" if row["checkpoint"] else ""),
                f"{row['ways']}-way {row['shots']}-shot",
                str(row["steps"]),
                f"{row['tasks']:,}",
                ", ".join(str(seed) for seed in sorted(row["seeds"])),
                *(cell(row["cells"][p]) if p in row["cells"] else "" for p in protocols),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
