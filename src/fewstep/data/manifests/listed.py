"""A split whose tasks are those of a list."""

from __future__ import annotations

import copy

import numpy as np

from fewstep.data.classes.split import ClassSplit
from fewstep.data.digest import composed
from fewstep.data.manifests.manifest import Manifest


def listed(split: ClassSplit, manifest: Manifest) -> ClassSplit:
    """The same data, and task i is the manifest's.

    Raises:
        ValueError: the list is of other data, or has classes of other names or that are not of
            this split, or images that these do not have.
    """
    if manifest.about["data_sha256"] != split.data_sha256:
        raise ValueError(
            f"its tasks are of other data than the {split.name} split's: of "
            f"{manifest.about['dataset']} (sha256 {str(manifest.about['data_sha256'])[:8]}), and "
            f"here is {split.dataset} (sha256 {split.data_sha256[:8]})"
        )
    _check_names(split, manifest)
    own = set(split.classes.tolist())
    for number, members in enumerate(manifest.tasks):
        if outside := [int(one) for one in members.classes if int(one) not in own]:
            name = manifest.names.get(outside[0], outside[0])
            raise ValueError(
                f"its task {number} has the class {name}, which is not in the {split.name} split "
                f"of {split.dataset} here"
            )
        for each, images in ((members.shots, members.support), (members.queries, members.query)):
            there = split.counts[np.repeat(members.classes, each)]
            if (images >= there).any():
                place = int(np.argmax(images >= there))
                name = split.class_names[np.repeat(members.classes, each)[place]]
                raise ValueError(
                    f"its task {number} has image {images[place]} of {name}, which has "
                    f"{there[place]}, counted from 0"
                )
    made = copy.copy(split)
    made.listed = manifest.tasks
    return made


def _check_names(split: ClassSplit, manifest: Manifest) -> None:
    """Raises ValueError where a class has another name than in the data: people read names."""
    there = split.class_names
    for one, name in manifest.names.items():
        own = there[one] if one < len(there) else None
        if own is None or composed(own) != composed(name):
            raise ValueError(
                f"its class {one} is {name}, and that of {split.dataset} here is {own or 'none'}"
            )
