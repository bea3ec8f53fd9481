"""What a checkpoint is tested on: its own data and classes, or others on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fewstep.core.types import Split
from fewstep.data.classes import by_name
from fewstep.data.classes.split import ClassSplit
from fewstep.messages.errors import ConfigError, some
from fewstep.records import benchmarks
from fewstep.run.checks.cautions import of_paper
from fewstep.run.checks.dataset_contract import open_splits
from fewstep.run.checks.preflight import Preflight
from fewstep.run.checks.splits import check_setting
from fewstep.run.construction import build, parts
from fewstep.run.experiment import Experiment
from fewstep.run.stored import origin
from fewstep.run.stored.checkpoint_contents import begun_elsewhere, trained_on
from fewstep.run.testing.given_tasks import FOR_BENCHMARK


Content = dict[str, Any]
"""What a checkpoint says of its run."""


@dataclass(frozen=True)
class Asked:
    """What an evaluation wants to be tested, and on what."""

    path: Path
    """The checkpoint's file."""
    split: str
    elsewhere: bool
    """Whether a dataset or a division into splits is given that may not be the checkpoint's."""
    other_data: bool
    """Whether its own dataset may have changed."""
    leaves_out: bool
    """Whether test classes that were trained on are left out, and not refused."""


@dataclass(frozen=True)
class Tested:
    """The data of an evaluation."""

    splits: Mapping[str, Split]
    split: str
    """The one to test on."""
    trained_on: dict[str, Any] | None = None
    """The dataset that the checkpoint was trained on, where it is another."""
    turned: bool = False
    """Whether it was trained on turned characters, whatever is tested."""
    begun: str | None = None
    """The weights that it began from, where these have met other classes."""
    cautions: tuple[str, ...] = ()
    """What is most likely not meant about its pictures."""

    @property
    def training(self) -> str:
        """What a benchmark's table says that it was trained on."""
        return benchmarks.training(self.turned, self.trained_on, self.begun)


def opened(experiment: Experiment, asked: Asked, content: Content) -> Tested:
    """The data of an evaluation, checked.

    Args:
        experiment: the checkpoint's with the evaluation's settings in it.
        asked: what the user gave beside those.
        content: what the checkpoint says of its run.

    Raises:
        ConfigError: data that is missing, damaged or other than the checkpoint's own and not
            asked for, or that was trained on; or a task that it cannot fill.
    """
    dataset, name = experiment.dataset, asked.split
    if asked.elsewhere:
        _check_kind(experiment, content)
    try:
        splits = dict(open_splits(dataset, experiment.source.key))
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    if not asked.elsewhere:
        splits = _own(replace(experiment, splits=splits), asked, content)
    if name not in splits:
        other = next((n for n in ("test", "val") if n in splits), None)
        fix = f"For example eval.split={other}" if other else "Give a dataset.split that has one"
        raise ConfigError(
            f"eval.split={name}: {experiment.source.name} has no such split here, only "
            f"{', '.join(splits)}. {fix}"
        )
    splits[name] = unseen(splits[name], experiment, asked, content)
    _check_tasks(splits[name], experiment, asked.elsewhere)
    turns = {n.rpartition("/rot")[2] for n in trained_on(content) if "/rot" in n}
    trained = _trained_on(splits, content) if asked.elsewhere else None
    cautions = _of_paper(experiment, content) if asked.elsewhere else ()
    return Tested(splits, name, trained, len(turns) > 1, begun_elsewhere(content), cautions)


def _own(experiment: Experiment, asked: Asked, content: Content) -> dict[str, Split]:
    """The checkpoint's own classes; with `other_data` those that are tested, by their names."""
    splits, source = dict(experiment.splits), experiment.source
    if own := origin.own_data(splits, content):
        return dict(own)
    key = f"checkpoint={asked.path}"
    if not asked.other_data:
        raise origin.other_data(splits, source, content, key)
    name, any_split = asked.split, next(iter(splits.values()))
    classes = (content.get("classes") or {}).get(name)
    if not classes or not isinstance(any_split, ClassSplit):
        return splits
    if gone := by_name.absent(any_split, classes):
        raise ConfigError(
            f"{key}: {len(gone)} of its {len(classes)} {name} classes are not in "
            f"{source.place} ({some(gone, origin.SHOWN)}). To test on the classes that are there, "
            f"give dataset={source.name}, or dataset.split=all"
        )
    return {**splits, name: by_name.chosen(any_split, name, classes)}


def unseen(split: Split, experiment: Experiment, asked: Asked, content: Content) -> Split:
    """The split without classes that were trained on; what an older checkpoint was trained on
    nobody knows."""
    seen = origin.among(split, trained_on(content))
    if not seen or not isinstance(split, ClassSplit):
        return split
    if not asked.leaves_out:
        out = "Leave them out with eval.trained_classes=leave_out, or test on others"
        if experiment.test.benchmark:
            out = f"benchmark={experiment.test.benchmark} asks for all. {FOR_BENCHMARK}"
        raise ConfigError(
            f"checkpoint={asked.path}: was trained on {len(seen)} of the {len(split.classes)} "
            f"{split.name} classes of {experiment.source.place} ({some(seen, origin.SHOWN)}). {out}"
        )
    left = [i for i in split.classes if split.class_names[i] not in set(seen)]
    return split.having(split.name, left)


def _check_kind(experiment: Experiment, content: Content) -> None:
    """Refuse waves for a classifier, and pictures for what has learned waves."""
    own, given = parts.dataset_of(content["config"]), experiment.objective
    if type(own.objective) is not type(given):
        name = build.build_source(content["config"]).name
        raise ConfigError(
            f"dataset={experiment.source.name}: its tasks are of another kind "
            f"({type(given).__name__}) than those that the checkpoint was trained for "
            f"({type(own.objective).__name__}, dataset={name}). Choose a dataset of the same kind"
        )


def _of_paper(experiment: Experiment, content: Content) -> tuple[str, ...]:
    config = content["config"]
    own = parts.dataset_of(config), build.build_source(config).name
    return tuple(of_paper(experiment, *own))


def _check_tasks(split: Split, experiment: Experiment, elsewhere: bool) -> None:
    for place, setting in enumerate(experiment.test.settings):
        try:
            check_setting(split, experiment, place)
        except ValueError as error:
            few = isinstance(split, ClassSplit) and len(split.classes) < setting.spec.ways
            more = few and elsewhere and experiment.source.split != "all"
            hint = ". Or take all of its classes with dataset.split=all" if more else ""
            raise ConfigError(f"{error}{hint}") from None


def _trained_on(splits: Mapping[str, Split], content: Content) -> dict[str, Any] | None:
    """What results say of a checkpoint from elsewhere; None where the data is the same."""
    digest = content.get("data_sha256")
    if digest is not None and digest == origin.origin(splits)["data_sha256"]:
        return None
    dataset = build.build_source(content["config"]).name
    return {"dataset": dataset, "data_sha256": digest}


def check_inputs(experiment: Experiment, tested: Tested, path: Path) -> None:
    """Measure one task: the network takes the images of the data that it is tested on.

    Raises:
        ConfigError: it does not.
    """
    split = tested.splits[tested.split]
    try:
        Preflight(experiment).test(split)
    except ConfigError:
        if tested.trained_on is None:
            raise
        assert isinstance(split, ClassSplit), "its tasks are of the kind that was trained on"
        shape = "x".join(str(n) for n in split.pixels.shape[1:])
        raise ConfigError(
            f"checkpoint={path}: its network does not take the images of {shape} of "
            f"{experiment.source.place}; it was trained on {tested.trained_on['dataset']}. Use "
            "images of that size: dataset=image_folder dataset.root=... makes any"
        ) from None
