"""`fewstep evaluate`: test a checkpoint again, in other settings or on other tasks."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from fewstep.arguments import Arguments

OPEN = ("trainer.", "logger.", "dataset.")
"""Parts whose keys depend on what was chosen for them."""

BESIDE = ("model", "shots", "algorithm")
"""What a dataset's file may choose beside it, and an evaluation leaves aside."""


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate as the overrides say; the exit status."""
    from fewstep.launch import Command, launch

    command = Command("evaluate", check, settle, job, prepare=prepared)
    return launch(command, sys.argv[1:] if words is None else words)


def prepared(arguments: Arguments) -> Arguments:
    """The arguments, without any that would change what was trained.

    Raises:
        ConfigError: naming it and what to do instead.
    """
    from fewstep.arguments import parsed
    from fewstep.checks import ConfigError
    from fewstep.compose import foreign

    for word in arguments.overrides:
        if parsed(word).get_key_element().lstrip("+~").split(".")[0] in BESIDE:
            raise ConfigError(foreign("evaluate", word))
    return arguments


def check(config: dict[str, Any]) -> None:
    """Refuse overrides that are not of the evaluation.

    Raises:
        ConfigError: naming the key and what to do instead.
    """
    from fewstep.checks import Check, ConfigError, check_values, flatten
    from fewstep.compose import compose_config, foreign
    from fewstep.names import check_name
    from fewstep.tested import TRAINED
    from fewstep.trust import check_trust

    known = {key for key, _ in flatten(compose_config("evaluate", ["checkpoint=any"]))}
    for key, value in flatten(config):
        if key not in known and not key.startswith(OPEN):
            raise ConfigError(foreign("evaluate", f"{key}={value}"))
    check_trust(config)
    check_name("name", config["name"], pieces=True)
    split = Check(str, choices=("test", "val"), example="test")
    other = Check(bool, example=True)
    table = {"eval.split": split, "eval.trained_classes": TRAINED, "other_data": other}
    check_values(config, table)


def merged(config: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    """The checkpoint's own configuration with the evaluation's overrides, and its file.

    Raises:
        ConfigError: a checkpoint that is missing or cannot be read, or that names code which is
            not trusted.
    """
    from fewstep import checkpoint
    from fewstep.tested import dataset_of
    from fewstep.trust import check_stored

    path = checkpoint.find(config["checkpoint"])
    base = copy.deepcopy(checkpoint.read(path)["fewstep"]["config"])
    check_stored(base, f"checkpoint={path}", config["trust"])
    base = {"label": None, "point": None, **base}  # older checkpoints lack these
    own = ("split", "trained_classes")
    changed = {n: v for n, v in config["eval"].items() if v is not None and n not in own}
    one = {n: changed[n] for n in ("steps", "batch_size") if n in changed}
    if one and "settings" not in changed:  # of every setting that the checkpoint was tested in
        same = [{**setting, **one} for setting in base["eval"]["settings"]]
        changed["settings"] = [s for i, s in enumerate(same) if s not in same[:i]]
    base["eval"] |= changed
    base["dataset"] = dataset_of(base["dataset"], config["dataset"])
    precision = config["trainer"]["precision"] or base["trainer"]["precision"]
    base |= {n: config[n] for n in ("name", "logger", "execution", "trust", "other_data")}
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
    from fewstep.capacity import check_capacity
    from fewstep.checkpoint_contents import stopwatch
    from fewstep.tested import check_inputs, opened

    base, path = merged(config)
    builders.check(base)
    check_capacity(base, training=False)
    content = checkpoint.read(path)
    tested = opened(config, base, content["fewstep"], path)
    learner = builders.build_learner(base, tested.task)
    stopwatch(checkpoint.restore(learner, path), path, "checkpoint")
    check_inputs(learner, tested, base, path)
    return {}


def job(config: dict[str, Any], folder: Path, command: str) -> None:
    """Test in a run directory; a sweeper has nothing to go by."""
    from fewstep import ranks

    ranks.run("fewstep.evaluate:evaluate", config, folder, command)


def evaluate(config: dict[str, Any], folder: Path, command: str) -> dict[str, Any]:
    """Test a checkpoint and return what results.json says."""
    from fewstep import checkpoint, training
    from fewstep.tested import opened

    base, path = merged(config)
    tested = opened(config, base, checkpoint.read(path)["fewstep"], path)
    return training.evaluate(base, path, folder, command, tested)


if __name__ == "__main__":
    from fewstep import console

    sys.exit(console.run(main))
