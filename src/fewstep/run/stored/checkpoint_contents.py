"""What a checkpoint must hold before anything relies on it, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.run import averaging


Content = Mapping[str, Any]

PARTS = ("algorithm", "dataset", "model", "shots", "eval", "trainer")
"""What the configuration of every training has."""

BEFORE = "trained_before"
"""The classes of the weights that a run began from, apart from `classes`: it goes on without."""

ANOTHER = "Use another one of the run, such as last.ckpt or best.ckpt, or train it again"


def check_contents(content: Content, path: Path, key: str) -> None:
    """Refuse a checkpoint that lacks what fewstep writes, or has something else in its place.

    Raises:
        ConfigError: naming the entry and what it must be.
    """
    if complaint := next(_complaints(content), None):
        raise ConfigError(f"{key}={path}: {printable(complaint)}. {ANOTHER}")


def _complaints(content: Content) -> Iterator[str]:
    ours = content["fewstep"]
    config, done, recent = ours["config"], ours.get("meta_iteration"), ours.get("recent", [])
    if not isinstance(config, Mapping) or not config:
        yield "fewstep.config must be the configuration of a training"
        return
    for part in PARTS:
        if not isinstance(config.get(part), Mapping):
            yield f"fewstep.config.{part}={config.get(part)}: must be a part of a configuration"
            return
    settings = config["eval"].get("settings")
    if not isinstance(settings, list) or not all(isinstance(s, Mapping) for s in settings):
        yield f"fewstep.config.eval.settings={settings}: must be a list of settings"
    for part, name in (("shots", "ways"), ("model", "_target_"), ("trainer", "precision")):
        if name not in config[part]:
            yield f"fewstep.config.{part}.{name} is missing"
    if isinstance(done, bool) or not isinstance(done, int) or done < 0:
        yield f"fewstep.meta_iteration={done!r}: must be a whole number of at least 0"
    state = ours.get("inner_state")
    leaves = [leaf for _, leaf in _leaves(state)] if isinstance(state, Mapping) else [None]
    if not all(_dense(leaf) or isinstance(leaf, (int, float, str)) for leaf in leaves):
        yield "fewstep.inner_state must be the state of an inner rule"
    if not isinstance(recent, list) or not all(map(are_scalars, recent)):
        yield "fewstep.recent must be the figures of some meta-iterations"
    classes, digest = ours.get("classes"), ours.get("data_sha256")
    if not _lists_of_texts({BEFORE: ours.get(BEFORE, [])}):
        yield f"fewstep.{BEFORE} must be the class names that earlier runs were trained on"
    if classes is not None and not _lists_of_texts(classes):
        yield "fewstep.classes must be the class names of each split"
    if digest is not None and not isinstance(digest, str):
        yield f"fewstep.data_sha256={digest!r}: must be a digest"
    if not isinstance(content["state_dict"], Mapping):
        yield "state_dict must hold the network's tensors"
    for name, value in dict(content["state_dict"]).items():
        if not isinstance(name, str) or not _dense(value):
            yield f"state_dict.{name}: must be a tensor"
    if complaint := averaging.complaint(ours.get("average"), content["state_dict"]):
        yield complaint


def trained_on(ours: Content) -> list[str]:
    """The names of the classes that what a checkpoint holds has met in training, in its own run
    and in those that it began from; what an older one does not say nobody knows."""
    return [*(ours.get("classes") or {}).get("train", []), *ours.get(BEFORE, [])]


def begun_elsewhere(ours: Content) -> str | None:
    """What a run was told to begin from, unless that has met nothing but its own classes."""
    before = {*ours.get(BEFORE, [])}
    same = before and before <= {*(ours.get("classes") or {}).get("train", [])}
    init = ours["config"].get("init")
    return None if same or not init else str(init)


def _lists_of_texts(classes: Any) -> bool:
    return isinstance(classes, Mapping) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in classes.values()
    )


def are_scalars(figures: Any) -> bool:
    """Whether it is a dictionary of numbers."""
    return isinstance(figures, Mapping) and all(
        isinstance(value, (int, float)) or (_dense(value) and value.numel() == 1)
        for value in figures.values()
    )


def _dense(value: Any) -> bool:
    """Whether it is a plain tensor that is as large as what is stored of it: one entry may be
    declared to stand for a trillion."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not value.is_quantized
        and value.device.type != "meta"
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The first entry in which two trees of tensors differ in names, shapes or kinds of numbers:
    its name, what it is in `ours` and what in `theirs`; None where there is none."""
    here, there = (dict(_leaves(tree)) for tree in (ours, theirs))
    for name in {**here, **there}:
        mine, its = (
            _look(leaves[name]) if name in leaves else "absent" for leaves in (here, there)
        )
        if mine != its:
            return name, mine, its
    return None


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _look(value: Any) -> str:
    """The shape, and the kind where it is not real: precisions may differ, kinds of number not."""
    if not _dense(value):
        return type(value).__name__
    kind = "" if value.is_floating_point() else f" {str(value.dtype).removeprefix('torch.')}"
    return f"{tuple(value.shape)}{kind}"


def check_finite(content: Content, path: Path, key: str) -> None:
    """Refuse the checkpoint of a training that has diverged.

    Raises:
        ConfigError: naming a tensor that is not finite.
    """
    if name := not_finite(content):
        raise ConfigError(
            f"{key}={path}: {printable(name)} has values that are not finite: this training "
            "has diverged. Use another checkpoint of the run, or train it again with a lower "
            "algorithm.inner.lr or algorithm.outer.lr"
        )


def not_finite(content: Content) -> str | None:
    """The name of a tensor of the learner that is not finite; None where all are."""
    ours = content["fewstep"]
    trees = (content["state_dict"], ours["inner_state"], ours.get("average") or {})
    for name, value in (leaf for tree in trees for leaf in _leaves(tree)):
        if isinstance(value, Tensor) and not value.isfinite().all():
            return name
    return None
