"""`fewstep evaluate`: test a checkpoint again, in other settings or on other tasks."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate as the overrides say; the exit status."""
    from fewstep.launch import Command, launch

    command = Command("evaluate", check, settle, job)
    return launch(command, sys.argv[1:] if words is None else words)


def check(config: dict[str, Any]) -> None:
    """Refuse overrides that are not of the evaluation.

    Raises:
        ConfigError: naming the key and what to do instead.
    """
    from fewstep.checks import Check, ConfigError, check_values, flatten
    from fewstep.compose import compose_config, foreign

    known = {key for key, _ in flatten(compose_config("evaluate", ["checkpoint=any"]))}
    for key, value in flatten(config):
        if key not in known and not key.startswith(("trainer.", "logger.")):
            raise ConfigError(foreign("evaluate", f"{key}={value}"))
    check_values(config, {"eval.split": Check(str, choices=("test", "val"), example="test")})


def merged(config: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    """The checkpoint's own configuration with the evaluation's overrides, and its file.

    Raises:
        ConfigError: a checkpoint that is missing or cannot be read.
    """
    from fewstep import checkpoint

    path = checkpoint.find(config["checkpoint"])
    base = copy.deepcopy(checkpoint.read(path)["fewstep"]["config"])
    base = {"label": None, "point": None, **base}  # older checkpoints have neither
    changed = {n: v for n, v in config["eval"].items() if v is not None and n != "split"}
    one = {n: changed[n] for n in ("steps", "batch_size") if n in changed}
    if one and "settings" not in changed:  # of every setting that the checkpoint was tested in
        same = [{**setting, **one} for setting in base["eval"]["settings"]]
        changed["settings"] = [s for i, s in enumerate(same) if s not in same[:i]]
    base["eval"] |= changed
    if config["dataset"]["root"] is not None:
        base["dataset"]["root"] = config["dataset"]["root"]
    precision = config["trainer"]["precision"] or base["trainer"]["precision"]
    base |= {name: config[name] for name in ("name", "logger", "execution")}
    base["trainer"] = {**config["trainer"], "precision": precision}
    return base, path


def settle(config: dict[str, Any]) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check(config)
    from fewstep import checkpoint
    from fewstep import config as builders
    from fewstep.checks import ConfigError

    base, path = merged(config)
    builders.check(base)
    dataset = builders.build_dataset(base["dataset"])
    splits = builders.open_splits(dataset, base, config["eval"]["split"])
    if config["eval"]["split"] not in splits:
        raise ConfigError(
            f"eval.split={config['eval']['split']}: {dataset.name} has no such split here, only "
            f"{', '.join(splits)}. For example eval.split=test"
        )
    checkpoint.restore(builders.build_learner(base, dataset.task), path)
    return {}


def job(config: dict[str, Any], folder: Path, command: str) -> None:
    """Test in a run directory; a sweeper has nothing to go by."""
    from fewstep import ranks

    ranks.run("fewstep.evaluate:evaluate", config, folder, command)


def evaluate(config: dict[str, Any], folder: Path, command: str) -> dict[str, Any]:
    """Test a checkpoint and return what results.json says."""
    from fewstep import training

    base, path = merged(config)
    return training.evaluate(base, path, folder, command, split=config["eval"]["split"])


if __name__ == "__main__":
    from fewstep import console

    sys.exit(console.run(main))
