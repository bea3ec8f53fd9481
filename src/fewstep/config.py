"""From a checked configuration to objects: the only place that instantiates."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from typing import Any

import torch
from hydra.utils import get_object
from torch import nn

from fewstep.algorithms import Algorithm
from fewstep.checks import EVAL, RUN, TRAIN, ConfigError, check_settings, check_values, did_you_mean
from fewstep.data.module import TaskModule
from fewstep.evaluation import PROTOCOLS, Setting, curve_steps
from fewstep.inner import InnerLoop
from fewstep.learner import MetaLearner, OuterStep
from fewstep.rules import RULES
from fewstep.types import EpisodeSpec, Split


Config = Mapping[str, Any]

RECIPE = {"name", "outer", "meta_batch", "train_shots", "queries", "eval"}
"""Keys of an algorithm's YAML that are its recipe and not arguments of its class."""

FACTS = {"name", "channels", "size"}
"""Keys of a dataset's YAML that the model reads, whether or not its class takes them."""

NOT_HASHED = ("name", "resume", "logger", "execution", "log_every", "checkpoint_every")


def check(config: Config) -> None:
    """Hold the whole configuration of a training against its limits.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check_values(config, TRAIN)
    check_values(config, RUN)
    check_values(config, EVAL)
    check_settings(config["eval"]["settings"])
    algorithm = build_algorithm(config["algorithm"])
    build_outer(config["algorithm"]["outer"])
    shots, inner = config["shots"], algorithm.inner
    support = shots["ways"] * shots["train_shots"]
    if algorithm.replacement and (inner.batch_size or 0) > support:
        raise ConfigError(
            f"algorithm.inner.batch_size={inner.batch_size}: drawn without repeats, a minibatch "
            f"holds at most shots.ways * shots.train_shots = {support} examples. Lower it, or "
            "raise shots.train_shots"
        )
    if algorithm.needs_queries and shots["queries"] < 1:
        raise ConfigError(
            f"shots.queries={shots['queries']}: {config['algorithm']['name']} trains on queries, "
            "at least 1 a class. For example shots.queries=1"
        )


def build_algorithm(config: Config) -> Algorithm:
    """The algorithm of an `algorithm/` file, with its inner loop.

    Raises:
        ConfigError: a class that cannot be imported, or an argument that it does not take.
    """
    inner = dict(config["inner"])
    rule, lr = inner.pop("rule"), inner.pop("lr")
    make_rule = RULES.get(rule) or _locate("algorithm.inner.rule", rule)
    options = inner.pop("options", {})
    loop = _call(InnerLoop, "algorithm.inner", {"rule": make_rule(lr=lr, **options), **inner})
    arguments = {name: value for name, value in config.items() if name not in RECIPE}
    return _make("algorithm", {**arguments, "inner": loop})


def build_outer(config: Config) -> OuterStep:
    """The outer optimizer of an `algorithm.outer` node: a name in `torch.optim`, or a path."""
    name = config["optimizer"]
    known = [n for n, o in vars(torch.optim).items() if inspect.isclass(o)]
    if "." not in name and name not in known:
        raise ConfigError(
            f"algorithm.outer.optimizer={name}: torch.optim has no such class."
            f"{did_you_mean(name, known)} For example algorithm.outer.optimizer=Adam"
        )
    optimizer = _locate("algorithm.outer.optimizer", name if "." in name else f"torch.optim.{name}")
    outer = OuterStep(optimizer, config["lr"], config["final_lr"], dict(config["options"]))
    try:
        optimizer([torch.zeros(1)], lr=outer.lr, **outer.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"algorithm.outer.options={outer.options}: {error}") from None
    return outer


def build_model(config: Config) -> nn.Module:
    """The network of a `model/` file, in the state that torch's seed gives it."""
    return _make("model", config)


def build_dataset(config: Config) -> Any:
    """The dataset of a `dataset/` file; opening it is up to the caller."""
    return _make("dataset", config, spare=FACTS)


def open_splits(dataset: Any, config: Config) -> Mapping[str, Split]:
    """The dataset's splits, each checked against the tasks that will be drawn from it.

    Raises:
        ConfigError: data that is missing or damaged, or a task that a split cannot fill.
    """
    try:
        splits = dataset.open()
        splits["train"].check(train_spec(config))
        for setting in build_settings(config):
            for name in {"val", "test"} & set(splits):
                splits[name].check(setting.spec)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    if config["eval"]["checkpoint"] == "best" and "val" not in splits:
        raise ConfigError(
            f"eval.checkpoint=best: {dataset.name} has no validation split here to pick it by. "
            "Use eval.checkpoint=last, or a split that has one (for omniglot "
            "dataset.split=with_val)"
        )
    return splits


def train_spec(config: Config) -> EpisodeSpec:
    """What a training episode holds."""
    algorithm, shots = build_algorithm(config["algorithm"]), config["shots"]
    return EpisodeSpec(
        shots["ways"],
        shots["train_shots"],
        shots["queries"] if algorithm.needs_queries else 0,
        algorithm.batches,
        algorithm.inner.batch_size,
        algorithm.replacement,
    )


def build_settings(config: Config) -> list[Setting]:
    """The settings to test in; validation uses the first, and its first protocol."""
    test, ways = config["eval"], config["shots"]["ways"]
    protocols = PROTOCOLS if test["protocol"] == "both" else (test["protocol"],)
    return [
        Setting(
            EpisodeSpec(ways, s["shots"], test["queries"], s["steps"], s["batch_size"]),
            protocols,
            curve_steps(s["steps"]),
        )
        for s in test["settings"]
    ]


def build_tasks(config: Config, splits: Mapping[str, Split]) -> TaskModule:
    """The tasks of a run, for Lightning."""
    test = config["eval"]
    return TaskModule(
        splits,
        train_spec(config),
        config["meta_batch"],
        config["seed"],
        build_settings(config),
        eval_seed=test["seed"],
        tasks=test["tasks"],
        curve_tasks=test["curve_tasks"],
    )


def build_learner(config: Config, task: Any) -> MetaLearner:
    """The learner, its network initialized from the run's seed."""
    torch.manual_seed(config["seed"])
    learner = MetaLearner(
        build_model(config["model"]),
        build_algorithm(config["algorithm"]),
        task,
        build_outer(config["algorithm"]["outer"]),
        max_meta_iterations=config["max_meta_iterations"],
        meta_batch=config["meta_batch"],
        execution=config["execution"],
        log_every=config["log_every"],
    )
    learner.config = dict(config)
    return learner


def config_hash(config: Config) -> str:
    """Twelve hex digits that two runs share when they compute the same thing."""
    kept = {name: value for name, value in config.items() if name not in NOT_HASHED}
    kept["dataset"] = {n: v for n, v in config["dataset"].items() if n != "root"}
    kept["trainer"] = {"precision": str(config["trainer"]["precision"])}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def _make(key: str, config: Config, spare: set[str] = frozenset()) -> Any:  # pyright: ignore
    arguments = dict(config)
    target = arguments.pop("_target_", None)
    if target is None:
        raise ConfigError(f"{key}._target_ is missing: the dotted path of the class to make")
    make = _locate(f"{key}._target_", target)
    taken = inspect.signature(make).parameters
    return _call(make, key, {n: v for n, v in arguments.items() if n in taken or n not in spare})


def _call(make: Any, key: str, arguments: Config) -> Any:
    taken = [name for name in inspect.signature(make).parameters]
    for name in arguments:
        if name not in taken:
            hint = did_you_mean(name, taken)
            raise ConfigError(f"{key}.{name}: {make.__name__} takes no such argument.{hint}")
    try:
        return make(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from None


def _locate(key: str, path: str) -> Any:
    try:
        return get_object(path)
    except Exception as error:  # whatever importing somebody's module raises
        raise ConfigError(f"{key}={path}: cannot be imported ({error})") from None
