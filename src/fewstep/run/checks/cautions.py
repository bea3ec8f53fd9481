"""What can be run and most likely is not meant or is slow."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.config.ranks import outside
from fewstep.core.rules import Langevin
from fewstep.data.linear import Linear
from fewstep.run.experiment import Experiment, Recipe


SHORT = 1e-5
"""Below which a difference of two gradients of 32 bits is mostly rounding."""


def warn(experiment: Experiment, training: bool = True) -> None:
    """Say what is most likely not meant or is slow, of a training or of a test alone, once for all
    ranks, and go on."""
    tell(cautions(experiment) if training else cautions_of_test(experiment))


def tell(texts: Iterable[str]) -> None:
    """Say each once for all ranks."""
    others = outside()
    for text in texts if not others or others.rank == 0 else ():
        print(f"note: {text}", file=sys.stderr)


def cautions(experiment: Experiment) -> Iterator[str]:
    """What there is to be said of an experiment, a line each."""
    algorithm, module = experiment.recipe.algorithm, experiment.learner.module
    bends = sum(isinstance(m, nn.ReLU) for m in module.modules())
    if isinstance(algorithm, HessianFree) and bends:
        yield (
            f"algorithm.eps={algorithm.eps}: a difference of two gradients is no Hessian product "
            f"where a network bends, and {type(module).__name__} has {bends} ReLU: no eps is "
            "reliable. Use a smooth network, as model.activation=tanh, or algorithm=binomial"
        )
    single = next(module.parameters()).dtype == torch.float32
    if isinstance(algorithm, HessianFree) and algorithm.eps < SHORT and single:
        yield (
            f"algorithm.eps={algorithm.eps}: on so short a way a gradient of 32 bits hardly "
            "changes but by rounding, and from some length on not at all, which is first-order "
            "MAML. Use algorithm.eps=0.01, or trainer.precision=64"
        )
    # A class says so of itself; of tasks that differ in shape it is set on the network alone.
    plain = {
        type(la).__name__ for la in module.modules() if not getattr(type(la), "programs", True)
    }
    if plain:
        yield (
            f"model: {', '.join(sorted(plain))} is not to be made a program (programs = False). "
            "Steps run as they are written, which is slower"
        )
    yield from _of_the_prior(experiment)
    yield from _of_the_path(experiment.recipe)
    yield from cautions_of_test(experiment)


def _of_the_prior(experiment: Experiment) -> Iterator[str]:
    """What a rule that weighs the losses against a prior is told of both."""
    dataset, inner = experiment.dataset, experiment.recipe.algorithm.inner
    rule = inner.rule
    both_sides = isinstance(dataset, Linear) and dataset.prior != "exponential"
    if both_sides and isinstance(rule, Langevin) and rule.prior == "one_sided":
        yield (
            "algorithm.inner.options.prior=one_sided: is for weights on one side of a bound, and "
            f"those of dataset.prior={dataset.prior} lie on both. Use "
            f"algorithm.inner.options.prior={dataset.prior}"
        )
    spec = experiment.recipe.spec
    if rule.sums and inner.batch_size is not None and inner.batch_size < spec.ways * spec.shots:
        yield (
            f"algorithm.inner.batch_size={inner.batch_size}: {type(rule).__name__} weighs the sum "
            f"of a minibatch's losses against its prior, and a task has {spec.ways * spec.shots} "
            "examples: they count for less than they are. Use algorithm.inner.batch_size=null"
        )


def _of_the_path(recipe: Recipe) -> Iterator[str]:
    algorithm = recipe.algorithm
    if recipe.name != "truncated" or not isinstance(algorithm, Binomial):
        return
    order, window = algorithm.order, algorithm.window
    if order != window:
        shown = "null" if window is None else window
        yield (
            f"algorithm.window={shown}: with algorithm.order={order} this is no truncated path but "
            f"a binomial estimate of a longer one. Use algorithm=binomial for that, or "
            f"algorithm.window={order}"
        )


def cautions_of_test(experiment: Experiment) -> Iterator[str]:
    """Those of what is measured alone, whenever that is."""
    inner = experiment.recipe.algorithm.inner
    for place, setting in enumerate(experiment.test.settings):
        if not inner.rule.lasts and setting.spec.steps > inner.steps:
            yield (
                f"eval.settings[{place}].steps={setting.spec.steps}: rates that were learned for "
                f"algorithm.inner.steps={inner.steps} may blow up beyond them. Use as many"
            )


def of_paper(experiment: Experiment, own: Any, name: str) -> Iterator[str]:
    """Whether drawings are on the other paper than those of the dataset, called `name`, that was
    trained on: a classifier turns them over, and a test takes them as they are."""
    knew, given = (
        getattr(getattr(dataset, "preparation", None), "paper", None)
        for dataset in (own, experiment.dataset)
    )
    if knew and given and knew != given:
        yield (
            f"dataset={experiment.source.name}: its drawings are on {given} paper, and the network "
            f"was trained on {knew} ({name}). They are tested as they are, and most likely told "
            "worse for it; fewstep adapt turns them over"
        )
