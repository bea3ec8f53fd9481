"""What an evaluation is: the checkpoint's own configuration, with its settings in it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from fewstep.config.evaluation import OF_TASKS
from fewstep.config.trust import check_stored
from fewstep.data.omniglot import BACKGROUND
from fewstep.messages.errors import ConfigError
from fewstep.run.stored import checkpoint


SHAPE = ("size", "channels")
"""Keys of a dataset that must be what the network takes."""


def dataset_of(own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The dataset to test on: the checkpoint's `own` with what is `given`, or another one.

    Of another, too, size and channels are those that the network was trained on, unless they are
    given; so is the root, where it is the same kind of dataset.
    """
    known = {name: value for name, value in given.items() if value is not None}
    if "_target_" not in known:
        return {**own, **known}
    same = known["_target_"] == own["_target_"]
    kept = (*SHAPE, *(("root", "split") if same else ()))
    return {**{name: own[name] for name in kept if name in own}, **known}


def merged(config: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    """The checkpoint's own configuration with the evaluation's overrides, and its file.

    Raises:
        ConfigError: a checkpoint that is missing or cannot be read, or that names code which is
            not trusted.
    """
    path = checkpoint.find(config["checkpoint"])
    base = copy.deepcopy(checkpoint.read(path)["fewstep"]["config"])
    check_stored(base, f"checkpoint={path}", config["trust"])
    own = ("split", "trained_classes")
    changed = {n: v for n, v in config["eval"].items() if v is not None and n not in own}
    one = {n: changed[n] for n in ("steps", "batch_size") if n in changed}
    if one and "settings" not in changed:  # of every setting that the checkpoint was tested in
        same = [{**setting, **one} for setting in base["eval"]["settings"]]
        changed["settings"] = [s for i, s in enumerate(same) if s not in same[:i]]
    if _draws(config) or changed.get("manifest"):
        base["eval"]["manifest"] = None
        base["manifest_sha256"] = config["manifest_sha256"]
    base["eval"] |= changed
    base["dataset"] = dataset_of(base["dataset"], config["dataset"])
    if config.get("benchmark"):
        base["benchmark"] = config["benchmark"]
        base["dataset"] = _of_benchmark(base["dataset"], config["benchmark"])
    precision = config["trainer"]["precision"] or base["trainer"]["precision"]
    base |= {n: config[n] for n in ("name", "logger", "execution", "trust", "other_data")}
    base |= {"init": None, "resume": None, "pictures": []}
    base["baselines"] = {**(base.get("baselines") or {}), "start": False}
    base["trainer"] = {**config["trainer"], "precision": precision}
    return base, path


def _draws(config: dict[str, Any]) -> bool:
    """Whether an evaluation says of which tasks it is, so that the list of tasks which the
    checkpoint's own test was on, if there was one, is not meant."""
    given, data = config["eval"], {n: v for n, v in config["dataset"].items() if n != "root"}
    said = [given[name] for name in OF_TASKS] + list(data.values())
    return given["split"] != "test" or any(value is not None for value in said)


def _of_benchmark(dataset: dict[str, Any], benchmark: str) -> dict[str, Any]:
    """The dataset that a benchmark is of, in its split.

    Raises:
        ConfigError: another dataset is to be tested on.
    """
    if not dataset["_target_"].endswith(".Omniglot"):
        raise ConfigError(
            f"benchmark={benchmark}: is a list of drawings of Omniglot, and "
            f"dataset={dataset.get('name')} has none of them. Give dataset=omniglot"
        )
    return {**dataset, "split": BACKGROUND}
