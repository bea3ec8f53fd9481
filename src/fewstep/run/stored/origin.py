"""Whose data, whose classes: what a run says of its data, and what a checkpoint is used on.

The class lists of every split belong to a checkpoint. Whoever goes on with it, or tests it, gets
these classes back by their names, however many the folder has by now; and data that has changed is
refused, unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fewstep.core.types import Split
from fewstep.data.classes import by_name
from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import classes_sha256, composed
from fewstep.messages.errors import ConfigError, some
from fewstep.run.construction.build import build_source
from fewstep.run.construction.source import Source
from fewstep.run.experiment import Experiment
from fewstep.run.stored import checkpoint
from fewstep.run.stored.checkpoint_contents import BEFORE, trained_on


Splits = Mapping[str, Split]
Content = Mapping[str, Any]
"""What a checkpoint says of its run."""

SHOWN = 3
"""Classes that a message names."""


def origin(splits: Splits) -> dict[str, Any]:
    """What a checkpoint says of its data: `data_sha256`, and the names of each split's `classes`.

    Each is None where the dataset does not tell.
    """
    own = {name: split for name, split in splits.items() if isinstance(split, ClassSplit)}
    named = len(own) == len(splits) and all(by_name.unique(s) for s in own.values())
    classes = {name: by_name.names_of(split) for name, split in own.items()}
    return {
        "data_sha256": getattr(next(iter(splits.values())), "data_sha256", None),
        "classes": classes if named else None,
    }


def digests(splits: Splits) -> dict[str, str | None]:
    """What results say of their data: its digest, and that of which class is in which split."""
    found = origin(splits)
    classes = classes_sha256(found["classes"])
    return {"data_sha256": found["data_sha256"], "classes_sha256": classes}


def kept(experiment: Experiment) -> dict[str, Any]:
    """What the checkpoints of a run say of its data; what it was trained on before it was resumed
    counts as well, and what the weights that it began from were trained on."""
    found = origin(experiment.splits)
    said = _said(experiment.resume) if experiment.resume else {}
    if found["classes"] and said:
        before = (said.get("classes") or {}).get("train", [])
        trained = dict.fromkeys([*found["classes"]["train"], *before])
        found["classes"]["train"] = list(trained)
    weights = () if said or not experiment.init else experiment.init.trained_on
    earlier = list(said.get(BEFORE, weights))
    return found | ({BEFORE: earlier} if earlier else {})


def resumed(experiment: Experiment) -> Splits:
    """The splits that a run starts with, or goes on with: those of the checkpoint's own data and
    classes; with `other_data` those that are there, if it is other data.

    Raises:
        ConfigError: other data that is not asked for, or that tests what was trained on, in the
            run or by the weights that it begins from.
    """
    splits, path, init = experiment.splits, experiment.resume, experiment.init
    if path is None:
        fix = "Use the split that it was trained with, or start from other weights"
        if init:
            _check_new(experiment, init.trained_on, f"init={init.name}", fix)
        return splits
    content = _said(path)
    if own := own_data(splits, content):
        return own
    if not experiment.other_data:
        raise other_data(splits, experiment.source, content, f"resume={path}")
    fix = "Give lists without them with dataset.split_files, or start a new run"
    _check_new(experiment, trained_on(content), f"resume={path}", fix)
    return splits


def _check_new(experiment: Experiment, trained: Sequence[str], key: str, fix: str) -> None:
    """Refuse to test or validate classes that were trained on."""
    for name, split in experiment.splits.items():
        seen = [] if name == "train" else among(split, trained)
        if seen:
            raise ConfigError(
                f"{key}: was trained on {len(seen)} of the {len(classes_of(split))} {name} classes "
                f"of {experiment.source.place} ({some(seen, SHOWN)}), which would no longer be "
                f"new. {fix}"
            )


def _said(path: Path) -> Content:
    """What the checkpoint that a run is resumed from says of its run."""
    return checkpoint.read(path, "resume")["fewstep"]


def own_data(splits: Splits, content: Content) -> Splits | None:
    """The splits of a checkpoint's own data and classes; None where the data is another.

    A folder that has more classes by now is its own data still. What an older checkpoint does not
    say is taken as it is.
    """
    digest, classes = content.get("data_sha256"), content.get("classes")
    split = next(iter(splits.values()))
    same = digest in (None, getattr(split, "data_sha256", None))
    if not classes or not isinstance(split, ClassSplit):
        return splits if same else None
    if not same:
        wanted = [name for names in classes.values() for name in names]
        if by_name.absent(split, wanted):
            return None
        split = by_name.only(split, wanted)
        if split.data_sha256 != digest:
            return None
    gone = {
        name for names in classes.values() for name in by_name.absent(split, names)
    }  # of other data
    there = {name: [one for one in names if one not in gone] for name, names in classes.items()}
    return {name: by_name.chosen(split, name, names) for name, names in there.items()}


def classes_of(split: Split) -> list[str]:
    """The names of a split's classes; none where it has none."""
    if not isinstance(split, ClassSplit):
        return []
    return by_name.names_of(split)


def among(split: Split, names: Sequence[str]) -> list[str]:
    """The classes of a split that are among the names."""
    wanted = set(map(composed, names))
    return [name for name in classes_of(split) if composed(name) in wanted]


def other_data(splits: Splits, source: Source, content: Content, key: str) -> ConfigError:
    """The refusal of data that a checkpoint was not trained on; `key` is how it was given."""
    split, classes = next(iter(splits.values())), content.get("classes") or {}
    names = [name for part in classes.values() for name in part]
    gone = by_name.absent(split, names) if isinstance(split, ClassSplit) else []
    lost = f" and lacks {len(gone)} of its classes ({some(gone, SHOWN)})" if gone else ""
    was, here = build_source(content["config"]).place, source.place
    which = "what is there now" if was == here else here
    digests = short(content.get("data_sha256")), short(getattr(split, "data_sha256", None))
    return ConfigError(
        f"{key}: was trained on the data of {was} (sha256 {digests[0]}), and {which} has other "
        f"data (sha256 {digests[1]}){lost}. Give the same data, or other_data=true to use this"
    )


def short(digest: str | None) -> str:
    """The first digits of a digest, for people."""
    return digest[:8] if digest else "unknown"
