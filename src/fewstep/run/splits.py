"""Whether the splits of a dataset hold the tasks that a run draws from them."""

from __future__ import annotations

from collections.abc import Mapping

from fewstep.core.types import Split
from fewstep.messages.errors import ConfigError
from fewstep.run.experiment import Experiment
from fewstep.run.source import Source


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


def check_splits(splits: Mapping[str, Split], experiment: Experiment) -> None:
    """Refuse tasks that test or, where there is validation, val cannot fill.

    Raises:
        ValueError: naming the counts and the ways out.
    """
    specs = [setting.spec for setting in experiment.test.settings]
    for name in ("test",) if experiment.schedule.val_every is None else ("test", "val"):
        for spec in specs if name in splits else ():
            try:
                splits[name].check(spec)
            except ValueError as error:
                if name == "test":
                    raise
                raise ValueError(f"{error}. {_without_val(experiment.source)}") from None


def check_validation(experiment: Experiment) -> None:
    """Refuse given tasks in whose shape meta-validation cannot draw any: it is like the test.

    Raises:
        ConfigError: naming the counts and the ways out.
    """
    try:
        check_splits(experiment.splits, experiment)
    except ValueError as error:
        raise ConfigError(f"eval.manifest={experiment.test.manifest}: {error}") from None


def _without_val(source: Source) -> str:
    can_be_empty = source.target.endswith(".ImageFolder") and not source.from_lists
    more = ", or leave the split out with dataset.val=0" if can_be_empty else ""
    return f"Or switch validation off with eval.val_every=null{more}"
