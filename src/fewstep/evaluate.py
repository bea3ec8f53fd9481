"""`fewstep evaluate`: test a checkpoint again, in other settings or on other tasks."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate as the overrides say; the exit status."""
    from fewstep.launch import launch

    arguments = sys.argv[1:] if arguments is None else arguments
    return launch("evaluate", arguments, settle, _job)


def merged(config: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    """The checkpoint's own configuration with the evaluation's overrides, and its file.

    Raises:
        ConfigError: a checkpoint that is missing or cannot be read.
    """
    from fewstep import checkpoint

    path = checkpoint.find(config["checkpoint"])
    base = copy.deepcopy(checkpoint.read(path)["fewstep"]["config"])
    changed = {name: value for name, value in config["eval"].items() if value is not None}
    one = {n: changed[n] for n in ("steps", "batch_size") if n in changed}
    if one and "settings" not in changed:  # of every setting that the checkpoint was tested in
        changed["settings"] = [{**setting, **one} for setting in base["eval"]["settings"]]
    base["eval"] |= changed
    if config["dataset"]["root"] is not None:
        base["dataset"]["root"] = config["dataset"]["root"]
    base |= {name: config[name] for name in ("name", "trainer", "logger", "execution")}
    return base, path


def settle(config: dict[str, Any]) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    from fewstep import checkpoint, config as builders

    base, path = merged(config)
    builders.check(base)
    dataset = builders.build_dataset(base["dataset"])
    builders.open_splits(dataset, base)
    checkpoint.restore(builders.build_learner(base, dataset.task), path)
    return {}


def _job(config: dict[str, Any], folder: Path, command: str) -> float | None:
    from fewstep.training import evaluate

    base, path = merged(config)
    report = evaluate(base, path, folder, command, split=config["eval"]["split"])
    return next((r.get("acc") for r in report["results"]), None)


if __name__ == "__main__":
    sys.exit(main())
