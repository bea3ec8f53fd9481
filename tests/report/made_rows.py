"""Runs that never ran, for pictures: any algorithms, settings, seeds and curves."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fewstep.records.identity import recipe_hash
from fewstep.report.runs.gather import Run
from fewstep.report.sections import Section, sections


CONFIG: dict[str, Any] = {
    "algorithm": {"name": "reptile", "inner": {"lr": 0.001, "steps": 5}},
    "model": {"_target_": "fewstep.models.OmniglotConv", "channels": 64},
    "dataset": {"name": "glyphs", "classes": 1000},
    "shots": {"ways": 5, "shots": 1},
    "trainer": {"precision": "32"},
    "max_meta_iterations": 2000,
}


def run(
    folder: Path,
    acc: float | None = 0.6,
    seed: int = 0,
    steps: Sequence[int] = (0, 1, 5, 50),
    protocols: Sequence[str] = ("inductive", "transductive"),
    metric: str = "acc",
    **changed: Any,
) -> Run:
    """A finished run in a folder that need not be there; `changed` are keys of the configuration,
    dots written as double underscores, and what its results.json says beside."""
    config, own = copy.deepcopy(CONFIG), {}
    for name, value in changed.items():
        node, (*path, last) = config, name.split("__")
        if not path and last not in config:
            own[name] = value
            continue
        for part in path:
            node = node[part]
        node[last] = value
    entries = [_entry(config, acc, p, steps, metric, own.pop("init", "trained")) for p in protocols]
    content = {
        "schema": 1,
        "name": "made",
        "algorithm": config["algorithm"]["name"],
        "dataset": config["dataset"]["name"],
        "seed": seed,
        "meta_iterations": 2000,
        "recipe_hash": recipe_hash(config),
        "results": entries,
        **own,
    }
    return Run(folder, content, {**config, "seed": seed, "label": own.get("label")})


def _entry(
    config: Mapping[str, Any],
    acc: float | None,
    protocol: str,
    steps: Sequence[int],
    metric: str,
    init: str,
) -> dict[str, Any]:
    start = 1 / config["shots"]["ways"] if metric == "acc" else 4.0
    way = [(i + 1) / len(steps) for i in range(len(steps))]
    values = [None if acc is None else start + (acc - start) * share for share in way]
    curve = {"steps": list(steps), "tasks": 200, metric: values}
    curve[f"{metric}_ci95"] = [None if acc is None else 0.03] * len(steps)
    figures = {metric: acc, f"{metric}_ci95": None if acc is None else 0.02}
    return {
        **{"split": "test", "init": init, "checkpoint": "last", "protocol": protocol},
        **{"ways": config["shots"]["ways"], "shots": config["shots"]["shots"], "queries": 1},
        **{"steps": max(steps, default=5), "batch_size": 5, "tasks": 1000, "eval_seed": 0},
        **figures,
        "loss": figures.get("loss", 1.0),
        "curve": curve,
    }


def section_of(runs: Sequence[Run]) -> Section:
    """The only section of these runs."""
    (found,) = sections(runs)
    return found


def trial(folder: Path, objective: float | None, **tried: float | str) -> Run:
    """A job of a search, with the files by which it is known as one."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "hydra.yaml").write_text(
        "hydra:\n  run:\n    dir: x\n  sweeper:\n    sampler:\n      _target_: plugins.TPE\n"
        "    _target_: plugins.OptunaSweeper\n  hydra_help: {}\n"
    )
    told = [f"{key.replace('__', '.')}={value}" for key, value in tried.items()]
    (folder / "overrides.yaml").write_text(yaml.safe_dump([*told, "name=search"]))
    record = {"state": "finished", "reason": None, "objective": objective}
    (folder / "job.json").write_text(json.dumps(record))
    return run(folder, objective, **tried)
