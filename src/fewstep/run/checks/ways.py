"""Whether a learner takes tasks of other ways than those that its network was made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import nn

from fewstep.adapters.heads import SAME_WAYS, last_linear
from fewstep.algorithms.joint import Joint
from fewstep.core.objectives import Classification
from fewstep.core.types import EpisodeSpec, Split
from fewstep.data.classes.split import ClassSplit
from fewstep.messages.errors import ConfigError
from fewstep.run.experiment import Experiment, Machine
from fewstep.run.lightning import device_of


HEADS = "zeros, mean or prototypes"


def any_ways(experiment: Experiment) -> bool:
    """Whether the last layer is made for each task, or there is none."""
    learner = experiment.learner
    if hasattr(learner.module, "any_ways"):
        return True
    return learner.algorithm.inner.head != "trained"


def differs(spec: EpisodeSpec, ways: int) -> bool:
    """Whether tasks have other ways than the network, or ways that vary."""
    return spec.varies or spec.ways != ways


def prepare(model: nn.Module, specs: Iterable[EpisodeSpec], ways: int) -> None:
    """Tell a network that its tasks have ways of their own, and let nothing be written down as a
    program where each task has a shape of its own: it would never pay."""
    specs = list(specs)
    differ = any(differs(spec, ways) for spec in specs)
    model.__dict__[SAME_WAYS] = not differ
    counts = hasattr(model, "any_ways") and differ
    if counts:
        model.__dict__["any_ways"] = True
    if counts or any(spec.varies for spec in specs):
        model.__dict__["programs"] = False


def execution_for(specs: Iterable[EpisodeSpec], ways: int, machine: Machine) -> str:
    """The execution that was asked for; on a GPU the choice for tasks that cannot be stacked."""
    unequal = any(differs(spec, ways) for spec in specs)
    auto = machine.execution == "auto" and unequal
    return "serial" if auto and device_of(machine).type == "cuda" else machine.execution


def check_any_ways(experiment: Experiment) -> None:
    """Refuse tasks of other ways, or of ways that vary, where the network or the execution is for
    one number of them.

    Raises:
        ConfigError: naming the key and the ways out.
    """
    for key, spec in _specs(experiment):
        if not differs(spec, experiment.ways):
            continue
        if not isinstance(experiment.objective, Classification):
            raise ConfigError(f"{key}: the tasks of this dataset have no ways. Leave it out")
        if not any_ways(experiment):
            raise ConfigError(
                f"{key}: the network's last layer is for shots.ways={experiment.ways}. Train one "
                f"with algorithm.inner.head={HEADS}, which makes one for each task, or leave it out"
            )
        if key.startswith("shots.") and (joint := _joint(experiment)):
            raise ConfigError(
                f"{key}: {joint} takes its gradients at the initialization, whose last layer is "
                f"for shots.ways={experiment.ways}. Leave one of them out"
            )
        rule = experiment.learner.algorithm.inner.rule
        if rule.remembers or _learns_of_each(experiment):
            raise ConfigError(
                f"{key}: the inner rule {type(rule).__name__} "
                f"{'remembers' if rule.remembers else 'learns'} of the last layer what is for "
                f"shots.ways={experiment.ways}. Train one with algorithm.inner.rule=sgd, or leave "
                "it out"
            )
        if experiment.machine.execution == "vmap":
            raise ConfigError(
                f"execution=vmap: stacks tasks, and with {key} they are not of one shape. Use "
                "execution=auto, serial or threads"
            )


def _joint(experiment: Experiment) -> str | None:
    """The key of a joint training in it."""
    if isinstance(experiment.learner.algorithm, Joint):
        return "algorithm=joint"
    beside = experiment.joint
    return "baselines.joint" if beside and isinstance(beside.algorithm, Joint) else None


def _learns_of_each(experiment: Experiment) -> bool:
    """Whether the rule learns something of each entry of the last layer."""
    learner = experiment.learner
    params, head = learner.net.params(), last_linear(learner.module)[0]
    own = {n: p.shape for n, p in params.items() if n.rpartition(".")[0] == head}
    learned = learner.learned.by_name().items()
    return any(own.get(name.split("/", 2)[-1]) == p.shape for name, p in learned)


def check_varied(splits: Mapping[str, Split], experiment: Experiment) -> None:
    """Refuse ways that vary where a dataset's tasks are drawn by itself.

    Raises:
        ConfigError: naming the key.
    """
    varied = [key for key, spec in _specs(experiment) if spec.varies]
    if varied and not all(isinstance(split, ClassSplit) for split in splits.values()):
        raise ConfigError(
            f"{varied[0]}: dataset={experiment.source.name} draws its tasks itself. Leave it out, "
            "or use a dataset with classes of images"
        )


def _specs(experiment: Experiment) -> Iterator[tuple[str, EpisodeSpec]]:
    """Each kind of task, and the key that asks for it."""
    train = experiment.recipe.spec
    yield "shots.varies=train" if train.varies else f"shots.train_ways={train.ways}", train
    for place, setting in enumerate(experiment.test.settings):
        key = f"eval.settings[{place}].ways={setting.spec.ways}"
        yield "shots.varies=test" if setting.spec.varies else key, setting.spec
