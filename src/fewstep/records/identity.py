"""What a run is, so that its results can be found again: its configuration and its code."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_yaml
from fewstep.records import older


NOT_HASHED = ("name", "label", "point", "resume", "logger", "execution", "log_every")
NOT_HASHED += ("checkpoint_every", "trust", "other_data", "budget", "init", "pictures")
"""What a configuration says of where and how a run goes, and not of what it computes."""
NOT_HASHED_OF_DATASET = ("root", "max_megapixels", "max_file_mb", "pictures")
BEFORE_AUTO = 500
"""What `eval.val_every` was by default, so that jobs which were finished then still are."""
OUR_MODELS = "fewstep.models."

LATER_BASELINES = ("oracle", "start")
"""Those that older configurations do not have: they were not run."""


def hashed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that says what a run computes, on whatever machine."""
    given = {name: value for name, value in config.items() if name not in NOT_HASHED}
    own = given["dataset"].items()
    given["dataset"] = {n: v for n, v in own if n not in NOT_HASHED_OF_DATASET}
    kept = older.without(given, "")
    model = given.get("model") or {}
    if model and not str(model.get("_target_", "")).startswith(OUR_MODELS):
        kept["model"] = model  # in which a key of this name may be something else
    for name in ("init_sha256", "checkpoint_sha256", "manifest_sha256", "benchmark"):
        if kept.get(name) is None:  # it starts from random weights, and is tested on its own tasks
            kept.pop(name, None)
    if "checkpoint_sha256" in kept:
        kept.pop("checkpoint", None)
    if "manifest_sha256" in kept:  # wherever the file lies
        kept["eval"] = {n: v for n, v in (kept.get("eval") or {}).items() if n != "manifest"}
    recipe = kept.get("algorithm") or {}  # an evaluation has its checkpoint's
    kept["algorithm"] = {n: v for n, v in recipe.items() if n != "checkpoint_steps"}
    if baselines := given.get("baselines"):
        kept["baselines"] = {n: v for n, v in baselines.items() if n not in LATER_BASELINES or v}
        if (joint := baselines.get("joint")) is not None:
            kept["baselines"]["joint"] = older.without(joint, "algorithm", older.JOINT)
    kept["trainer"] = {"precision": str(config["trainer"]["precision"])}
    return kept


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
        content = plain_yaml(folder / "config.yaml")
    except (OSError, ValueError):
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
