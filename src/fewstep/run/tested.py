"""What a checkpoint is tested on: its own data and classes, or others on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstep.config.checks import Check
from fewstep.core.types import Split
from fewstep.data.images.split import ImageSplit
from fewstep.messages.errors import ConfigError
from fewstep.run import build, origin
from fewstep.run.learner import MetaLearner
from fewstep.run.preflight import Preflight


Config = dict[str, Any]

SHAPE = ("size", "channels")
"""Keys of a dataset that must be what the network takes."""

TRAINED = Check(str, choices=("refuse", "leave_out"), example="refuse")
"""What `eval.trained_classes` may be: what becomes of test classes that were trained on."""


@dataclass(frozen=True)
class Tested:
    """The data of an evaluation."""

    objective: Any
    """What is learned in a task of it: losses and metrics."""
    splits: Mapping[str, Split]
    split: str
    """The one to test on."""
    trained_on: dict[str, Any] | None
    """The dataset that the checkpoint was trained on, where it is another."""


def dataset_of(own: Config, given: Config) -> Config:
    """The dataset to test on: the checkpoint's `own` with what is `given`, or another one.

    Of another, too, size and channels are those that the network was trained on, unless they are
    given; so is the root, where it is the same kind of dataset.
    """
    known = {name: value for name, value in given.items() if value is not None}
    if "_target_" not in known:
        return {**own, **known}
    same = known["_target_"] == own["_target_"]
    kept = (*SHAPE, *(("root", "split") if same else ()))
    return {**{name: own[name] for name in kept if name in own}, **known}


def opened(config: Config, base: Config, content: Config, path: Path) -> Tested:
    """The data of an evaluation, checked.

    Args:
        config: of the evaluation, as the user gave it.
        base: the checkpoint's configuration with the evaluation's settings in it.
        content: what the checkpoint says of its run.
        path: the checkpoint's file.

    Raises:
        ConfigError: data that is missing, damaged or other than the checkpoint's own and not
            asked for, or that was trained on; or a task that it cannot fill.
    """
    dataset, name = build.build_dataset(base["dataset"]), config["eval"]["split"]
    elsewhere = "_target_" in config["dataset"] or config["dataset"]["split"] is not None
    if elsewhere:
        _check_kind(dataset, base, content)
    try:
        splits = dict(dataset.open())
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    if not elsewhere:
        splits = _own(splits, config, base, content, path)
    if name not in splits:
        raise ConfigError(
            f"eval.split={name}: {dataset.name} has no such split here, only {', '.join(splits)}. "
            f"For example eval.split={next(iter(splits))}"
        )
    splits[name] = _unseen(splits[name], config, base, content, path)
    _check_tasks(splits[name], base, elsewhere)
    trained_on = _trained_on(splits, content) if elsewhere else None
    return Tested(dataset.objective, splits, name, trained_on)


def _own(
    splits: dict[str, Split], config: Config, base: Config, content: Config, path: Path
) -> dict[str, Split]:
    """The checkpoint's own classes; with `other_data` those that are tested, by their names."""
    if own := origin.own_data(splits, content):
        return dict(own)
    key = f"checkpoint={path}"
    if not config["other_data"]:
        raise origin.other_data(splits, base, content, key)
    name, any_split = config["eval"]["split"], next(iter(splits.values()))
    classes = (content.get("classes") or {}).get(name)
    if not classes or not isinstance(any_split, ImageSplit):
        return splits
    if gone := origin.absent(any_split, classes):
        raise ConfigError(
            f"{key}: {len(gone)} of its {len(classes)} {name} classes are not in "
            f"{origin.place(base)} ({origin.some(gone)}). To test on the classes that are there, "
            f"give dataset={base['dataset']['name']}, or dataset.split=all"
        )
    return {**splits, name: origin.chosen(any_split, name, classes)}


def _unseen(split: Split, config: Config, base: Config, content: Config, path: Path) -> Split:
    """The split without classes that were trained on; what an older checkpoint was trained on
    nobody knows."""
    trained = (content.get("classes") or {}).get("train", [])
    seen = origin.among(split, trained)
    if not seen:
        return split
    if config["eval"]["trained_classes"] == "refuse":
        raise ConfigError(
            f"checkpoint={path}: was trained on {len(seen)} of the {len(split.classes)} "
            f"{split.name} classes of {origin.place(base)} ({origin.some(seen)}). Leave them out "
            "with eval.trained_classes=leave_out, or test on others"
        )
    left = [i for i in split.classes if split.class_names[i] not in set(seen)]
    return split.having(split.name, left)


def _check_kind(dataset: Any, base: Config, content: Config) -> None:
    """Refuse waves for a classifier, and pictures for what has learned waves."""
    own = build.build_dataset(content["config"]["dataset"])
    if type(own.objective) is not type(dataset.objective):
        raise ConfigError(
            f"dataset={base['dataset']['name']}: its tasks are of another kind "
            f"({type(dataset.objective).__name__}) than those that the checkpoint was trained for "
            f"({type(own.objective).__name__}, dataset={own.name}). Choose a dataset of the same "
            "kind"
        )


def _check_tasks(split: Split, base: Config, elsewhere: bool) -> None:
    for setting in build.build_settings(base):
        try:
            split.check(setting.spec)
        except ValueError as error:
            few = isinstance(split, ImageSplit) and len(split.classes) < setting.spec.ways
            more = few and elsewhere and base["dataset"].get("split") != "all"
            hint = ". Or take all of its classes with dataset.split=all" if more else ""
            raise ConfigError(f"{error}{hint}") from None


def _trained_on(splits: Mapping[str, Split], content: Config) -> dict[str, Any] | None:
    """What results say of a checkpoint from elsewhere; None where the data is the same."""
    digest = content.get("data_sha256")
    if digest is not None and digest == origin.origin(splits)["data_sha256"]:
        return None
    return {"dataset": content["config"]["dataset"]["name"], "data_sha256": digest}


def check_inputs(learner: MetaLearner, tested: Tested, base: Config, path: Path) -> None:
    """Measure one task: the network takes the images of the data that it is tested on.

    Raises:
        ConfigError: it does not.
    """
    split = tested.splits[tested.split]
    try:
        Preflight(learner, base).test(split)
    except ConfigError:
        if tested.trained_on is None:
            raise
        shape = "x".join(str(n) for n in split.pixels.shape[1:])
        raise ConfigError(
            f"checkpoint={path}: its network does not take the images of {shape} of "
            f"{origin.place(base)}; it was trained on {tested.trained_on['dataset']}. Use images "
            "of that size: dataset=image_folder dataset.root=... makes any"
        ) from None
