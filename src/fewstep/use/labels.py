"""From labels of any kind to the classes of a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.messages.errors import ConfigError
from fewstep.use.rows import array_of, check_ordered


def classes_of(labels: Iterable[Any], images: int) -> tuple[list[Any], Tensor]:
    """The classes of some labels, sorted where they can be (else in order of appearance), and each
    label's place among them: [n] int64.

    Args:
        labels: any hashable values.
        images: how many there must be.

    Raises:
        ValueError: another number than there are pictures, labels that are not hashable or not
            numbers, or fewer than two classes.
    """
    found = listed(labels)
    if len(found) != images:
        raise ConfigError(
            f"labels: there are {len(found)}, and {images} pictures. Give one label a picture"
        )
    for place, label in enumerate(found):
        try:
            hash(label)
        except TypeError:  # by itself, or for what is in it
            what = type(label).__name__
            raise ConfigError(f"labels[{place}]: a {what} cannot be a class") from None
        if _is_missing(label):
            raise ConfigError(f"labels[{place}]={label}: contains NaN or nothing. Leave it out")
    classes = list(dict.fromkeys(found))
    with suppress(TypeError):  # kinds that cannot be held against each other
        classes.sort()
    if len(classes) < 2:
        raise ConfigError(
            f"labels: Classifier can't train when only one class is present ({classes[0]!r}). Give "
            "pictures of two classes or more"
        )
    places = {label: place for place, label in enumerate(classes)}
    return classes, torch.tensor([places[label] for label in found])


def _is_missing(label: Any) -> bool:
    """Whether a label says that there is none: None, NaN, NaT, pandas' NA; or is infinite."""
    try:
        return label is None or label in (np.inf, -np.inf) or not bool(label == label)
    except (TypeError, ValueError):  # what pandas' NA says to being asked
        return True


def as_array(classes: Sequence[Any]) -> np.ndarray:
    """Classes as NumPy's array of their kind, or of objects."""
    found = np.asarray(classes) if len({type(c) for c in classes}) == 1 else None
    if found is not None and found.ndim == 1:
        return found
    out = np.empty(len(classes), dtype=object)
    out[:] = classes
    return out


def listed(labels: Any) -> list[Any]:
    """Labels as Python's own values.

    Raises:
        ValueError: no list of labels.
    """
    check_ordered(labels, "labels")
    if isinstance(labels, Tensor):
        labels = array_of(labels, "labels")
    elif hasattr(labels, "to_numpy") and len(labels.shape) == 2:  # a table, not a column
        labels = labels.to_numpy()
    if isinstance(labels, np.ndarray):
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim != 1:
            raise ConfigError(f"labels: an array of shape {labels.shape}, where [n] is needed")
        return labels.tolist()
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        raise ConfigError(f"labels: a {type(labels).__name__}. Give a list, one label a picture")
    return [one.item() if isinstance(one, np.generic | Tensor) else one for one in labels]
