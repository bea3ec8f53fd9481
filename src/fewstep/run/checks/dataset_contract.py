"""What a dataset of somebody's own must have, told all at once where it lacks some of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from fewstep.core.types import SPLITS, Split
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


if TYPE_CHECKING:
    from fewstep.run.checks.diagnosis import Place
    from fewstep.run.experiment import Experiment


NEEDED = {
    "open": "open(), which gives its splits by name",
    "objective": "objective, the losses and metrics that it is learned by",
}
OF_A_SPLIT = {
    "to": "to(device, dtype)",
    "episode": "episode(spec, seed, index)",
    "identity": "identity(spec, seed, index)",
    "check": "check(spec)",
}
WAY_OUT = (
    "fewstep.data.TensorClasses(x, y), for examples in memory, and fewstep.data.FunctionTasks"
    "(function), for tasks that a function draws, have all of it"
)


def check_dataset(made: Any, key: str) -> None:
    """Refuse what a `_target_` has made that is no dataset.

    Raises:
        ConfigError: naming all that it lacks.
    """
    if missing := [what for name, what in NEEDED.items() if getattr(made, name, None) is None]:
        kind = type(made).__name__
        raise ConfigError(f"{key}: is no dataset: {kind} has no {_either(missing)}. {WAY_OUT}")


def answers(dataset: Any) -> Mapping[str, Callable[[], nn.Module]]:
    """What a dataset answers itself, by name, each made by a call: its `answers`, or its one
    `oracle`; nothing where it has neither."""
    oracle = getattr(dataset, "oracle", None)
    return getattr(dataset, "answers", None) or ({"oracle": oracle} if oracle else {})


def open_splits(dataset: Any, key: str) -> Mapping[str, Split]:
    """The splits that a dataset opens into.

    Raises:
        ConfigError: what it fails at in ways of its own, or all that its splits lack.
        OSError, ValueError: data that is missing, or is none.
    """
    try:
        splits = dataset.open()
    except (OSError, ValueError):
        raise
    except Exception as error:  # whatever somebody's dataset raises
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = printable(f"{type(error).__name__}: {error}, {last.filename}:{last.lineno}")
        raise ConfigError(f"{key}: its open() fails ({reason}). Correct it") from error
    _check_names(splits, key)
    for name, split in splits.items():
        if missing := [w for n, w in OF_A_SPLIT.items() if not callable(getattr(split, n, None))]:
            kind = type(split).__name__
            raise ConfigError(
                f"{key}: its {name} split is none: {kind} has no {_either(missing)}. {WAY_OUT}"
            )
    return splits


def check_test(splits: Mapping[str, Split], key: str) -> None:
    """Refuse a dataset without a test split, which the end of a training measures.

    Raises:
        ConfigError: saying so.
    """
    if "test" not in splits:
        raise ConfigError(
            f"{key}: has no test split, on which a training is measured at its end; it opens into "
            f"{', '.join(splits) or 'none'}. Put some of its classes into one"
        )


def check_tasks(experiment: Experiment) -> None:
    """Hold what is asked of tasks against what a dataset says of its own.

    Raises:
        ValueError: as `check_round` does.
        ConfigError: as `check_asked` does.
    """
    dataset = experiment.dataset
    for recipe in filter(None, (experiment.recipe, experiment.joint)):
        check_round(dataset, recipe, experiment.schedule.meta_batch)
    check_asked(dataset, experiment.test)


def check_round(dataset: Any, recipe: Any, meta_batch: int) -> None:
    """Hold a meta-batch against the tasks that belong together by their dataset, for an algorithm
    that learns from what they hand over.

    Raises:
        ValueError: it is not one round of them.
    """
    tasks = getattr(dataset, "round", None)
    if recipe.algorithm.uploads and tasks and meta_batch != tasks:
        raise ValueError(
            f"meta_batch={meta_batch}: a round of {recipe.name} has each of the {tasks} clients of "
            f"dataset={dataset.name} once. Use meta_batch={tasks}"
        )


def check_asked(dataset: Any, test: Any) -> None:
    """Hold a meta-test against what a dataset says of its test tasks: that a round of them is all
    that there are, or that their queries are their support set (`asks_support`).

    Raises:
        ConfigError: tasks that would count several times, or answers that were shown before.
    """
    name, most = getattr(dataset, "name", ""), getattr(dataset, "round", None)
    if getattr(dataset, "interval", None) != "finite":
        most = None
    for key in ("tasks", "curve_tasks"):
        if most and getattr(test, key) > most:
            raise ConfigError(
                f"eval.{key}={getattr(test, key)}: dataset={name} has {most} test tasks, and more "
                f"would count some of them again. Use eval.{key}={most}"
            )
    for place, setting in enumerate(test.settings):
        if setting.spec.steps and getattr(dataset, "asks_support", False):
            raise ConfigError(
                f"eval.settings[{place}].steps={setting.spec.steps}: the queries of dataset={name} "
                "are its support set, and a step would be shown the answers that are asked for. "
                "Use eval.steps=0"
            )


def check_pictures(shift: int, place: Place) -> None:
    """Refuse to move what is no picture (`eval.shift`).

    Raises:
        ConfigError: naming the inputs.
    """
    assert place.episode is not None
    _, *sizes = place.episode.support_x.shape
    if shift and len(sizes) != 3:
        shape = "x".join(map(str, sizes)) or "no axes"
        raise ConfigError(
            f"eval.shift={shift}: moves pictures of [channels, height, width], and the inputs of "
            f"dataset={place.dataset} are of {shape}. Use eval.shift=0"
        )


def _check_names(splits: Any, key: str) -> None:
    if isinstance(splits, Mapping) and all(name in SPLITS for name in splits):
        return
    found = f"a {type(splits).__name__}"
    if isinstance(splits, Mapping):
        found = f"splits by the names {', '.join(map(str, splits))}"
    raise ConfigError(
        f"{key}: its open() gives {found}: must be a dictionary of splits by the names "
        f"{', '.join(SPLITS)}. {WAY_OUT}"
    )


def _either(missing: list[str]) -> str:
    return " and no ".join(missing)
