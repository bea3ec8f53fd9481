"""What a run is, so that its results can be found again: its configuration and its code."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


NOT_HASHED = ("name", "label", "point", "resume", "logger", "execution", "log_every")
NOT_HASHED += ("checkpoint_every", "trust", "other_data", "budget", "init", "pictures")
"""What a configuration says of where and how a run goes, and not of what it computes."""
NOT_HASHED_OF_DATASET = ("root", "max_megapixels", "max_file_mb", "pictures")
LATER_OF_DATASET = {"skip": [], "white": None, "within": None}
"""Keys that older runs lack, and what those did."""
BEFORE_AUTO = 500
"""What `eval.val_every` was by default, so that jobs which were finished then still are."""
LATER_OF_OUTER = {"schedule": "linear", "rates": {}, "aggregator": "mean"}
LATER_OF_OUTER |= dict.fromkeys(("clip", "clamp", "average"))
LATER = {
    "inner": {"fixed": [], "reset": [], "frozen": [], "head": "trained"},
    "outer": LATER_OF_OUTER,
}
"""The same of the parts of an algorithm."""
LATER_OF_ALGORITHM = {"query_norm": "batch"}
"""The same of an algorithm itself."""
LATER_OF_JOINT = {
    "inner": {"reset": [], "frozen": [], "head": "trained"},
    "outer": LATER_OF_OUTER,
}
"""The same of the joint baseline's, which had `fixed` from the first."""
LATER_OF_PARTS = {
    "shots": {"train_ways": None, "varies": None},
    "model": {"norm": "batch"},
    "eval": {"manifest": None, "shift": 0},
}
"""The same of other parts, of models those of ours."""
OUR_MODELS = "fewstep.models."

LATER_BASELINES = ("oracle", "start")
"""Those that older runs lack, which is none."""


def hashed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that says what a run computes, on whatever machine."""
    kept = {name: value for name, value in config.items() if name not in NOT_HASHED}
    if kept.get("init_sha256") is None:  # it starts from random weights
        kept.pop("init_sha256", None)
    kept["dataset"] = {
        name: value
        for name, value in config["dataset"].items()
        if name not in NOT_HASHED_OF_DATASET
        and not (name in LATER_OF_DATASET and value == LATER_OF_DATASET[name])
    }
    recipe = (config.get("algorithm") or {}).items()  # an evaluation has its checkpoint's
    if kept.get("benchmark", "") is None:
        del kept["benchmark"]
    own = {n: v for n, v in kept.items() if n in LATER_OF_PARTS and isinstance(v, Mapping)}
    if not str(own.get("model", {}).get("_target_", "")).startswith(OUR_MODELS):
        own.pop("model", None)
    kept |= _older(own, LATER_OF_PARTS)
    recipe = {n: v for n, v in recipe if n != "checkpoint_steps"}
    kept["algorithm"] = _older(_without(recipe, LATER_OF_ALGORITHM), LATER)
    if baselines := config.get("baselines"):
        kept["baselines"] = {n: v for n, v in baselines.items() if n not in LATER_BASELINES or v}
        if (joint := baselines.get("joint")) is not None:
            kept["baselines"]["joint"] = _older(joint, LATER_OF_JOINT)
    kept["trainer"] = {"precision": str(config["trainer"]["precision"])}
    return kept


def _older(recipe: Mapping[str, Any], later: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A recipe without the keys that are new in its parts and at their defaults."""
    kept = dict(recipe)
    for part in later.keys() & recipe.keys():
        kept[part] = _without(recipe[part], later[part])
    return kept


def _without(part: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in part.items() if n not in new or v != new[n]}


def config_hash(config: Mapping[str, Any]) -> str:
    """Twelve hex digits that two runs share when they compute the same thing."""
    kept = hashed(config)
    test = kept.get("eval") or {}
    if test.get("val_every") == "auto":
        kept["eval"] = {**test, "val_every": BEFORE_AUTO}
    text = json.dumps(kept, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def hash_of(folder: Path) -> str | None:
    """The configuration hash of a run directory; None where its configuration cannot be read."""
    try:
        return config_hash(config_of(folder))
    except (LookupError, TypeError, AttributeError):
        return None


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration of a run directory; empty where it cannot be read."""
    try:
        content = yaml.safe_load((folder / "config.yaml").read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def recipe_hash(config: Mapping[str, Any]) -> str:
    """Twelve hex digits that two runs share when they differ in their seeds at most."""
    return config_hash({name: value for name, value in config.items() if name != "seed"})


def git_commit() -> str | None:
    """The commit of the checkout that this package runs from; None where it is installed."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
