"""The values that each key may take, and the check of a training that needs nothing but them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.config.budget import UNITS, check_budget
from fewstep.config.checks import Check, OneOrMore, check_names, check_settings, check_values, count
from fewstep.config.names import check_name
from fewstep.config.ranks import check_ranks
from fewstep.config.trust import check_trust
from fewstep.config.validation import AUTO, val_every
from fewstep.messages.errors import ConfigError


NOT_MIXED = "mixed precision scales one loss, and an inner loop has one a step"
PROTOCOLS = ("inductive", "transductive", "support")
EVAL = {
    "eval.tasks": count(2, 1000),  # one task has no interval
    "eval.seed": count(0, 0),
    "eval.queries": count(1, 1),
    "eval.protocol": OneOrMore(choices=PROTOCOLS, whole="both", example="both"),
    "eval.steps": count(0, 50),
    "eval.batch_size": count(1, 5, optional=True),
    "eval.curve_tasks": count(0, 200),  # 0: no curve
    "eval.manifest": Check(str, optional=True, example="tasks.npz"),
    "eval.shift": Check(int, low=0, below=9, example=1),  # 289 copies of a picture
}
RUN = {
    "name": Check(str, example="my_run"),
    "label": Check(str, optional=True, example="g1"),
    "execution": Check(str, choices=("auto", "serial", "threads", "vmap"), example="auto"),
    "trainer.accelerator": Check(str, example="auto"),
    "trainer.devices": count(1, 1),
    "trainer.num_nodes": count(1, 1),
    "trainer.precision": Check(str, choices=("32", "64"), example="32", note=NOT_MIXED),
}
TRAIN = {
    "seed": count(0, 0),
    "init": Check(str, optional=True, example="outputs/runs/NAME"),
    "init_sha256": Check(str, optional=True, example="null"),
    "manifest_sha256": Check(str, optional=True, example="null"),
    "resume": Check(str, optional=True, example="outputs/runs/NAME/DATE"),
    "max_meta_iterations": count(1, 2000),
    "budget.tasks": count(1, 10000, optional=True),
    "budget.gradients": count(1, 50000, optional=True),
    "budget.examples": count(1, 500000, optional=True),
    "meta_batch": count(1, 5),
    "log_every": count(1, 10),
    "checkpoint_every": count(1, 500),
    "algorithm.name": Check(str, example="reptile"),
    "algorithm.inner.rule": Check(str, example="sgd"),
    "algorithm.inner.lr": Check(float, above=0, example=0.001),
    "algorithm.inner.steps": count(1, 5),
    "algorithm.inner.batch_size": count(1, 10, optional=True),
    "algorithm.inner.loss": Check(str, choices=("mean", "sum"), example="mean"),
    "algorithm.inner.state": Check(str, choices=("carry", "reset", "sequential"), example="carry"),
    "algorithm.outer.optimizer": Check(str, example="SGD"),
    "algorithm.outer.lr": Check(float, above=0, example=1.0),
    "algorithm.outer.final_lr": Check(float, low=0, optional=True, example=0.0),
    "algorithm.outer.average": Check(float, above=0, below=1, optional=True, example=0.999),
    "algorithm.meta_batch": count(1, 5),
    "algorithm.train_shots": count(1, 10),
    "algorithm.queries": count(0, 1),
    "algorithm.eval.steps": count(0, 50),
    "algorithm.eval.batch_size": count(1, 5, optional=True),
    "dataset.name": Check(str, example="glyphs"),
    "shots.ways": count(1, 5),
    "shots.shots": count(1, 1),
    "shots.train_shots": count(1, 10),
    "shots.queries": count(0, 1),
    "shots.train_ways": count(2, 60, optional=True),
    "shots.varies": Check(str, choices=("train", "test", "both"), optional=True, example="both"),
    "baselines.random": Check(bool, example=True),
    "baselines.start": Check(bool, example=True),
    "baselines.oracle": Check(bool, example=True),
    "other_data": Check(bool, example=True),
    "eval.val_every": Check(int, low=1, optional=True, word=AUTO, example=500),
    "eval.val_tasks": count(2, 100),
    "eval.test_every": count(1, 500, optional=True),
    "eval.test_tasks": count(2, 100),
    "eval.checkpoint": Check(str, choices=("best", "last"), optional=True, example="last"),
}
MODEL = {"model.channels": count(1, 64), "model.hidden": count(1, 64)}
"""Sizes that our own networks have; another network need not have them."""
MAML = {"algorithm.checkpoint_steps": count(1, 2, optional=True)}
"""Keys that one algorithm has."""

OPTIONAL = {"algorithm.inner.batch_size", "algorithm.inner.loss", "algorithm.inner.state"}
OPTIONAL |= {f"algorithm.inner.{name}" for name in ("rule", "lr", "steps")}
OPTIONAL |= {"algorithm.meta_batch", "algorithm.train_shots", "algorithm.queries"}
OPTIONAL |= {"algorithm.eval.steps", "algorithm.eval.batch_size", "algorithm.outer.average"}
OPTIONAL |= {"eval.manifest", "eval.shift", "shots.train_ways", "shots.varies"}
OPTIONAL |= {f"budget.{unit}" for unit in UNITS}
"""Keys of which a recipe has those that it, or another key, asks for; of a budget perhaps none."""
CHOSEN = ("algorithm.eval", "budget")
"""Parts that need not have all of their keys."""

GROUPS = ("algorithm", "dataset", "shots", "model", "trainer", "logger")
TOP = {*GROUPS, "eval", "baselines", "point", "trust", "budget", "pictures"}
TOP |= {key for key in (*TRAIN, *RUN) if "." not in key}
PARTS = {"eval": {"settings"}, "shots": set(), "baselines": {"joint"}, "budget": set()}
PARTS |= {"algorithm.outer": {"options"}, "algorithm.eval": set()}
"""Parts that no class of a user's own reads, and their keys that no table has: whatever else is
there is a slip of the pen that would silently change nothing."""

LATER = {
    "algorithm.outer": {"schedule", "rates", "average", "clip", "clamp", "aggregator"},
    "shots": {"train_ways", "varies"},
    "eval": {"manifest", "shift"},
}
"""Keys that these parts of older configurations do not have."""


def check_training(config: Mapping[str, Any], more: frozenset[str] = frozenset()) -> None:
    """Hold the configuration of a training against the limits of single keys; needs no torch.
    It may have `more` keys, as that of an evaluation has.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check_names("", config, TOP | (more & set(config)))
    for part in (*GROUPS, "eval", "baselines"):
        if not isinstance(config[part], Mapping):
            raise ConfigError(
                f"{part}={config[part]}: has keys of its own, which are given as {part}.KEY=VALUE. "
                "`fewstep train --cfg job` prints them"
            )
    if not isinstance(config["algorithm"].get("inner"), Mapping):
        raise ConfigError("algorithm.inner is missing: an override or a file has removed it")
    if (
        "points" in config["dataset"]
        and config["eval"].get("queries") == config["dataset"]["points"]
    ):
        check_values(config, {"dataset.points": count(1, 50)})  # which eval.queries follows
    tables = {**TRAIN, **RUN, **EVAL}
    check_values(config, {key: c for key, c in tables.items() if key not in OPTIONAL})
    some = {key: c for key, c in tables.items() if key in OPTIONAL}
    check_values(config, {**some, **MODEL, **MAML}, optional=True)
    check_settings(config["eval"]["settings"], config["shots"].get("ways"))
    for part in ("inner", "outer"):
        _check_options(f"algorithm.{part}.options", config["algorithm"][part].get("options"))
    check_budget(config)
    check_trust(config)
    check_name("name", config["name"], pieces=True)
    for part in ("algorithm", "dataset"):
        check_name(f"{part}.name", config[part]["name"])
    check_ranks(config)
    _check_best(config)
    _check_parts(config, tables)
    _check_joint(config["baselines"]["joint"])
    _check_pictures(config["pictures"])


def _check_parts(config: Mapping[str, Any], tables: Mapping[str, Check]) -> None:
    for part, more in PARTS.items():
        known = {key[len(part) + 1 :] for key in tables if key.startswith(f"{part}.")}
        node = config
        for name in part.split("."):
            node = node.get(name) or {}
        later = LATER.get(part, set())
        known, later = known - later, later & set(node)
        if part in CHOSEN:  # what it does not have, it does not need
            known &= set(node) | (known if set(node) - known - more - later else set())
        check_names(f"{part}.", node, known | more | later)


def _check_options(key: str, options: Any) -> None:
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError(f"{key}={options}: must be names and values. For example +{key}.eps=1e-8")


def _check_pictures(pictures: Any) -> None:
    each = pictures if isinstance(pictures, list) else [None]
    if not all(isinstance(one, Mapping) and "_target_" in one for one in each):
        raise ConfigError(
            f"pictures={pictures}: must be a list of what is drawn. For example "
            "pictures='[{_target_: my_pictures.Loss}]'"
        )


def _check_best(config: Mapping[str, Any]) -> None:
    every, end = val_every(config), config["max_meta_iterations"]
    if config["eval"]["checkpoint"] == "best" and not (every and every <= end):
        raise ConfigError(
            f"eval.checkpoint=best: nothing is validated with eval.val_every={every} and "
            f"max_meta_iterations={end}. Use eval.checkpoint=last, or eval.val_every={end} or less"
        )


def _check_joint(joint: Any) -> None:
    if joint is None:
        return
    fix = "Add the baseline with +algorithm@baselines.joint=joint, or set it to null"
    if not isinstance(joint, Mapping):
        raise ConfigError(f"baselines.joint={joint}: must be an algorithm or null. {fix}")
    table = {k: c for k, c in TRAIN.items() if k.startswith("algorithm.outer.")}
    renamed = {k.replace("algorithm.", "baselines.joint."): c for k, c in table.items()}
    check_values({"baselines": {"joint": joint}}, renamed)
