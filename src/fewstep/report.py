"""`fewstep report DIR...`: gather the results of many runs into one table.

Intervals over tasks and over seeds are kept apart: the first says how well one training was
measured, the second how much trainings differ.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.checks import ConfigError


HIDDEN = ("batch_size", "queries", "eval_seed", "split")
"""What a row is told by where nothing else of it differs from another row's."""

SHOWN = ("name", "meta_iterations", "init", "checkpoint", "ways", "shots", "steps", "tasks")
SAME = (*SHOWN, *HIDDEN, "algorithm", "dataset", "dataset_split")
"""What the runs of one row share, beside their recipe; they differ in their seeds alone."""

VARYING = re.compile(r"(seed|hydra\.run\.dir)=")
"""Overrides by which runs of one recipe may differ."""

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


def recipe(run: Mapping[str, Any]) -> str:
    """What the runs of one recipe share: its hash, or in older files the command without seed."""
    return run.get("recipe_hash") or shlex.join(_words(run))


def _words(run: Mapping[str, Any]) -> list[str]:
    return [w for w in shlex.split(run.get("command") or "") if not VARYING.match(w)]


def rows(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each recipe and setting, its seeds gathered; protocols side by side."""
    gathered: dict[tuple, dict[str, Any]] = {}
    for run in runs:
        for result in run["results"]:
            entry = {**run, **result}
            same = {name: entry.get(name) for name in SAME} | {"recipe": recipe(run)}
            row = gathered.setdefault(
                tuple(same.values()), {**same, "words": _words(run), "seeds": set(), "cells": {}}
            )
            row["seeds"].add(run["seed"])
            row["cells"].setdefault(result["protocol"], []).append(entry)
    table = list(gathered.values())
    _tell_recipes_apart(table)
    _tell_settings_apart(table)
    return table


def _tell_recipes_apart(table: Sequence[dict[str, Any]]) -> None:
    """`label`: the name, and where recipes share it the overrides that not all of them have."""
    for row in table:
        recipes = {r["recipe"]: r["words"] for r in table if r["name"] == row["name"]}
        own = [w for w in row["words"] if not all(w in words for words in recipes.values())]
        alike = [r for r, words in recipes.items() if words == row["words"]]
        if len(alike) > 1:  # the jobs of a sweep have one command
            own.append("older" if " " in row["recipe"] else f"recipe {row['recipe'][:6]}")
        row["label"] = f"{row['name']} [{' '.join(own)}]" if own else row["name"]


def _tell_settings_apart(table: Sequence[dict[str, Any]]) -> None:
    """`setting`: ways and shots, and what else differs between rows that look the same."""
    for row in table:
        alike = [r for r in table if all(r[n] == row[n] for n in ("label", *SHOWN))]
        more = [n for n in HIDDEN if len({r[n] for r in alike}) > 1]
        parts = [f"{row['ways']}-way {row['shots']}-shot", *(f"{n}={row[n]}" for n in more)]
        row["setting"] = ", ".join(parts)


def cell(results: Sequence[Mapping[str, Any]]) -> str:
    """`78.82 ± 1.10` over tasks, and for several seeds their mean and the interval over seeds."""
    metric = "acc" if "acc" in results[0] else "loss"
    scale, digits = (100, 2) if metric == "acc" else (1, 4)
    lost = [r for r in results if r[metric] is None or r[f"{metric}_ci95"] is None]
    if lost:
        return "diverged" if len(results) == 1 else f"diverged ({len(lost)} of {len(results)} runs)"
    seeds: dict[Any, list[float]] = {}
    for place, r in enumerate(results):  # a run that was repeated is no further seed
        seeds.setdefault(r.get("seed", place), []).append(scale * r[metric])
    values = [statistics.fmean(repeats) for repeats in seeds.values()]
    # Every seed meets the same test tasks, so more seeds do not narrow the interval over tasks.
    over_tasks = scale * statistics.fmean(r[f"{metric}_ci95"] for r in results)
    text = f"{statistics.fmean(values):.{digits}f} ± {over_tasks:.{digits}f}"
    if any(r.get("loss", 0.0) is None for r in results):
        text += " (diverged)"  # an accuracy can be counted where the loss is not a number
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
                row["label"].replace("|", "\\|"),
                f"{row['meta_iterations']:,}",
                row["init"] + (f" ({row['checkpoint']})" if row["checkpoint"] else ""),
                row["setting"],
                str(row["steps"]),
                f"{row['tasks']:,}",
                ", ".join(str(seed) for seed in sorted(row["seeds"])),
                *(cell(row["cells"][p]) if p in row["cells"] else "" for p in protocols),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
