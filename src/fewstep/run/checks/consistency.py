"""Holding a run's parts against each other before it starts, for what no table of limits knows."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from fewstep.adapters.heads import last_linear
from fewstep.adapters.partition import check_partition
from fewstep.core.objectives import Classification, Regression
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.dataset_contract import answers
from fewstep.run.checks.rule_beginnings import check_beginnings
from fewstep.run.experiment import Experiment, Recipe
from fewstep.run.learner import MetaLearner


JOINT = "baselines.joint"
"""The key of the algorithm that is trained beside the other."""


def check_joint(recipe: Recipe, joint: Recipe) -> None:
    """Hold the joint baseline against the algorithm whose inner loop it has, and against the tasks.

    Raises:
        ConfigError: there is no inner loop, or as `check_shots` does.
    """
    if not recipe.algorithm.has_inner_loop:
        raise ConfigError(
            f"{JOINT}: takes the inner gradients of algorithm={recipe.name}, which has no inner "
            f"loop. Use {JOINT}=null"
        )
    check_shots(joint, JOINT)


def check_shots(recipe: Recipe, key: str = "algorithm") -> None:
    """Hold what a training task has against what the algorithm asks for, which `key` names.

    Raises:
        ConfigError: minibatches larger than the support set, or queries that are missing.
    """
    spec, algorithm = recipe.spec, recipe.algorithm
    support, batch = spec.ways * spec.shots, algorithm.inner.batch_size
    if algorithm.replacement and (batch or 0) > support:
        raise ConfigError(
            f"algorithm.inner.batch_size={batch}: drawn without repeats ({key}.replacement=true), "
            f"a minibatch holds at most shots.ways * shots.train_shots = {support} examples. Lower "
            "it, or raise shots.train_shots"
        )
    if algorithm.needs_queries and spec.queries < 1:
        who = recipe.name if key == "algorithm" else f"{key}={recipe.name}"
        raise ConfigError(
            f"shots.queries={spec.queries}: {who} trains on queries, at least 1 a class. For "
            "example shots.queries=1"
        )


def check_takes(recipe: Recipe, module: nn.Module) -> None:
    """Refuse a network that is told nothing of the task, where no inner loop learns it.

    Raises:
        ConfigError: naming both.
    """
    if not recipe.algorithm.has_inner_loop and not getattr(module, "takes", ()):
        raise ConfigError(
            f"algorithm={recipe.name}: has no inner loop, so the network must take the support set "
            f"itself, and {type(module).__name__} takes nothing but its inputs. Use model=protonet,"
            ' or give it takes = ("support_x", "support_y")'
        )


def check_rule(recipe: Recipe, module: nn.Module) -> None:
    """Hold the inner rule against the loss that it descends, and one of a user's own against the
    network's parameters.

    Raises:
        ConfigError: a mean where it asks for the sum; as `check_beginnings` does.
    """
    inner = recipe.algorithm.inner
    check_beginnings(inner, module)
    name = type(inner.rule).__name__.lower()
    if inner.rule.sums and inner.loss != "sum":
        raise ConfigError(
            f"algorithm.inner.loss={inner.loss}: the inner rule {name} weighs "
            "the sum of a task's losses against its prior. Use algorithm.inner.loss=sum"
        )


def check_learned(learner: MetaLearner) -> None:
    """Refuse a rule that learns what it remembers as well: a step could find but one of them.

    Raises:
        ConfigError: an entry of both.
    """
    entries = {name.split("/")[1] for name in learner.learned.by_name()}
    if both := sorted(entries & set(learner.state)):
        raise ConfigError(
            f"algorithm.inner.rule: {type(learner.algorithm.inner.rule).__name__} learns "
            f"{', '.join(both)}, and init gives its state that as well. Rename one of them"
        )


def check_oracle(dataset: Any, name: Any) -> None:
    """Refuse `baselines.oracle` where nobody knows the best answer.

    Raises:
        ConfigError: the dataset does not say it.
    """
    if not answers(dataset):
        raise ConfigError(
            f"baselines.oracle=true: dataset={name} does not say what the best answer is. Use "
            "baselines.oracle=false, or dataset=linear"
        )
    try:
        for make in answers(dataset).values():
            make()
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_fixed(learner: MetaLearner, joint: Recipe | None = None) -> None:
    """Hold `algorithm.inner.fixed`, `reset` and `frozen` against the network's parameters, and the
    outer rates by pattern, those of the joint baseline too.

    Raises:
        ConfigError: a pattern without a parameter, one in two lists, or nothing left to learn.
    """
    network, inner = learner.net, learner.algorithm.inner
    try:
        check_partition(inner, network.params(), network.frozen())
    except ValueError as error:
        raise ConfigError(str(error)) from None
    outers = {"algorithm": learner.outer} | ({JOINT: joint.outer} if joint else {})
    for key, outer in outers.items():
        try:
            outer.groups(learner.moved())
        except ValueError as error:
            raise ConfigError(str(error).replace("algorithm.outer.", f"{key}.outer.", 1)) from None
    _check_head(learner)
    if not inner.frozen and (meant := getattr(learner.module, "to_freeze", ())):
        warnings.warn(
            f"algorithm.inner.frozen=[]: {type(learner.module).__name__} has prompts, and the rest "
            f"moves beside them. Use algorithm.inner.frozen=[{','.join(meant)}]",
            stacklevel=2,
        )


def _check_head(learner: MetaLearner) -> None:
    """Refuse a last layer that each task makes anew where the outer step would move nothing else:
    of the mean of the trained ones alone has it a derivative."""
    head, (path, _) = learner.algorithm.inner.head, last_linear(learner.module)
    own = {f"{path}.{name}".lstrip(".") for name in ("weight", "bias")}
    if head in ("zeros", "prototypes") and path is not None and learner.moved().keys() <= own:
        raise ConfigError(
            f"algorithm.inner.head={head}: each task makes the last layer anew, and beside it "
            f"{type(learner.module).__name__} has nothing for the outer step to learn. Use "
            "algorithm.inner.head=trained, or let a layer before it learn"
        )


def check_ways(experiment: Experiment) -> None:
    """Refuse to tell one class from no other, at which every network is right, and a last layer
    that is made of classes where there are none.

    Raises:
        ConfigError: classification of fewer than two classes, or prototypes of another task.
    """
    head = experiment.recipe.algorithm.inner.head
    if head == "prototypes" and isinstance(experiment.objective, Regression):
        raise ConfigError(
            f"algorithm.inner.head={head}: is made of the means of a task's classes, and those of "
            f"dataset={experiment.source.name} have none. Use algorithm.inner.head=trained, or "
            "another algorithm"
        )
    if isinstance(experiment.objective, Classification) and experiment.ways < 2:
        raise ConfigError(
            f"shots.ways={experiment.ways}: with one class every answer is right, and nothing is "
            "learned. Use shots.ways=2 or more"
        )
