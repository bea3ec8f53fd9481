"""Whether the splits of a dataset hold the tasks that a run draws from them."""

from __future__ import annotations

from collections.abc import Mapping

from fewstep.core.types import EpisodeSpec, Split
from fewstep.messages.errors import ConfigError
from fewstep.run.construction.source import Source
from fewstep.run.experiment import Experiment


def to_train(splits: Mapping[str, Split], source: Source) -> Split:
    """The training split.

    Raises:
        ValueError: there is none.
    """
    if "train" not in splits:
        raise ValueError(
            f"dataset.split={source.split}: leaves no class to train on. It is for fewstep "
            "evaluate; leave it out here"
        )
    return splits["train"]


def check_train(splits: Mapping[str, Split], experiment: Experiment) -> None:
    """Refuse tasks to train on that the training split cannot fill, and those of joint training.

    Raises:
        ValueError: naming the counts, or that there is no such split.
    """
    split = to_train(splits, experiment.source)
    for recipe in filter(None, (experiment.recipe, experiment.joint)):
        _check(split, recipe.spec, experiment, "shots.train_ways")


def check_setting(split: Split, experiment: Experiment, place: int) -> None:
    """Refuse the tasks of a setting of the test that a split cannot fill.

    Raises:
        ValueError: naming the counts.
    """
    spec = experiment.test.settings[place].spec
    _check(split, spec, experiment, f"eval.settings[{place}].ways")


def _check(split: Split, spec: EpisodeSpec, experiment: Experiment, own: str) -> None:
    """A split knows shots.ways alone; ways that are others come of a key of their `own`."""
    try:
        split.check(spec)
    except ValueError as error:
        if spec.ways == experiment.ways:
            raise
        text = str(error).replace(f"shots.ways={spec.ways}:", f"{own}={spec.ways}:", 1)
        raise ValueError(text) from None


def check_splits(splits: Mapping[str, Split], experiment: Experiment) -> None:
    """Refuse tasks that test or, where there is validation, val cannot fill.

    Raises:
        ValueError: naming the counts and the ways out.
    """
    for name in ("test",) if experiment.schedule.val_every is None else ("test", "val"):
        for place in range(len(experiment.test.settings)) if name in splits else ():
            try:
                check_setting(splits[name], experiment, place)
            except ValueError as error:
                if name == "test":
                    raise
                raise ValueError(f"{error}. {_without_val(experiment.source)}") from None


def check_validation(experiment: Experiment) -> None:
    """Refuse given tasks in whose shape meta-validation cannot draw any, for it is like the test;
    and the classes of a checkpoint that are too few for its own run.

    Raises:
        ConfigError: naming the counts and the ways out.
    """
    given = {"eval.manifest": experiment.test.manifest, "resume": experiment.resume}
    try:
        check_train(experiment.splits, experiment)
        check_splits(experiment.splits, experiment)
    except ValueError as error:
        key = next((f"{key}={value}: " for key, value in given.items() if value), "")
        raise ConfigError(f"{key}{error}") from None


def _without_val(source: Source) -> str:
    can_be_empty = source.target.endswith(".ImageFolder") and not source.from_lists
    more = ", or leave the split out with dataset.val=0" if can_be_empty else ""
    return f"Or switch validation off with eval.val_every=null{more}"
