"""The parts of a configuration that an initialization is used with, made without Lightning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import Algorithm
from fewstep.algorithms.direct import STILL
from fewstep.config.checks import check_values, count
from fewstep.config.instantiate import call, locate, make
from fewstep.core.contents import check_contents
from fewstep.core.rules import RULES, Rule
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.run.checks.dataset_contract import check_dataset
from fewstep.run.checks.network_sizes import with_sizes


Config = Mapping[str, Any]

RECIPE = {"name", "outer", "meta_batch", "train_shots", "queries", "eval", "needs_rule", "needs_lr"}
"""Keys of an algorithm's YAML that are its recipe and not arguments of its class."""

FACTS = frozenset({"name", "channels", "size", "pictures"})  # of a dataset's YAML, for others
SIZES = {"dataset.channels": count(1, 1), "dataset.size": count(1, 28)}
"""Those of pictures, by which a network is made."""


def build_algorithm(config: Config, key: str = "algorithm") -> Algorithm:
    """The algorithm of an `algorithm/` file, with its inner loop.

    Raises:
        ConfigError: a class that cannot be imported, or an argument that it does not take.
    """
    arguments = {name: value for name, value in config.items() if name not in RECIPE}
    made = make(key, {**arguments, "inner": build_inner(config["inner"], key)})
    if not isinstance(made, Algorithm):
        raise ConfigError(
            f"{key}._target_={config['_target_']}: is no algorithm. Let it inherit from "
            "fewstep.algorithms.Algorithm"
        )
    return made


def build_inner(config: Config, key: str = "algorithm") -> InnerLoop:
    """The inner loop of an `algorithm/` file; one that never steps where it names no steps.

    Raises:
        ConfigError: a rule that is not known, or an argument that its class does not take.
    """
    inner = dict(config)
    if "steps" not in inner:
        return replace(STILL, frozen=inner.get("frozen", ()))
    for name, example in (("rule", "sgd"), ("lr", 0.001)):
        if name not in inner:
            whole = f"{key}.inner.{name}"
            raise ConfigError(f"{whole} is missing. Give it, for example {whole}={example}")
    rule, lr = inner.pop("rule"), inner.pop("lr")
    options = inner.pop("options", None) or {}
    if rule not in RULES and "." not in rule:
        raise ConfigError(
            f"{key}.inner.rule={rule}: must be one of {', '.join(RULES)}, or the dotted path of a "
            f"class of your own.{did_you_mean(rule, RULES)} For example {key}.inner.rule=sgd"
        )
    make_rule = RULES.get(rule) or locate(f"{key}.inner.rule", rule)
    made_rule = call(make_rule, f"{key}.inner.options", {"lr": lr, **options})
    if not isinstance(made_rule, Rule):
        raise ConfigError(
            f"{key}.inner.rule={rule}: gives a {type(made_rule).__name__}, which is no inner rule. "
            "Let it inherit from fewstep.core.rules.Rule"
        )
    target = inner.pop("_target_", None)
    make_loop = locate(f"{key}.inner._target_", target) if target else InnerLoop
    return call(make_loop, f"{key}.inner", {"rule": made_rule, **inner})


def build_model(config: Config) -> nn.Module:
    """The network of a `model/` file, in the state that torch's seed gives it.

    Raises:
        ConfigError: what is no network, is too large, or is none that a task can have to itself.
    """
    model = with_sizes(lambda: make("model", config), config["_target_"])
    try:
        check_contents(model)
    except ValueError as error:
        raise ConfigError(f"model._target_={config['_target_']}: {error}") from None
    return model


def build_pictures(nodes: Sequence[Config]) -> tuple[Any, ...]:
    """What is drawn at the end of a run.

    Raises:
        ConfigError: a class that cannot be imported, or that draws nothing.
    """
    made = []
    for place, node in enumerate(nodes):
        made.append(make(f"pictures[{place}]", node))
        if not callable(getattr(made[-1], "draw", None)):
            raise ConfigError(
                f"pictures[{place}]._target_={node['_target_']}: is no picture. Give its class a "
                "method draw(finished), as those of fewstep.run.pictures have it"
            )
    return tuple(made)


def build_dataset(config: Config) -> Any:
    """The dataset of a `dataset/` file; opening it is up to the caller."""
    if str(config.get("_target_")).startswith("fewstep."):
        check_values({"dataset": config}, SIZES, optional=True)
    made = make("dataset", config, spare=FACTS)
    check_dataset(made, f"dataset._target_={config['_target_']}")
    return made


def dataset_of(config: Config) -> Any:
    """The dataset of a whole configuration."""
    return build_dataset(config["dataset"])


def model_of(config: Config) -> nn.Module:
    """The network of a whole configuration."""
    with _after_the_dataset(config):
        return build_model(config["model"])


def pictures_of(config: Config) -> tuple[Any, ...]:
    """What a whole configuration draws at the end."""
    with _after_the_dataset(config):
        return build_pictures(config.get("pictures") or [])


@contextmanager
def _after_the_dataset(config: Config) -> Iterator[None]:
    """Keys of these may follow those of the dataset, whose own word comes first where both refuse a
    value; it is not made before, as random numbers may be drawn for it."""
    try:
        yield
    except ConfigError:
        dataset_of(config)
        raise
