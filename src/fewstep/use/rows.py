"""What users hold rows of numbers in, as what a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.data.row_preparation import RowPreparation
from fewstep.data.rows import check_there
from fewstep.messages.errors import ConfigError


def vectors_of(given: Any, rows: RowPreparation | None = None) -> Tensor:
    """Rows of numbers [n, d], or examples of any shape [n, *], as the training had them; as float32
    where nothing says how that was.

    Raises:
        ValueError: no finite numbers, of another shape, or such as the training cannot have had.
    """
    found = numbers_of(given, "X")
    if np.iscomplexobj(found):
        raise ConfigError("Complex data not supported: X must be real numbers")
    if found.ndim < 2:
        raise ConfigError(
            f"Expected 2D array, got {found.ndim}D array instead: X must be [n, d]. Reshape your "
            "data using X.reshape(-1, 1), or X.reshape(1, -1) if it is one sample"
        )
    for axis, name in enumerate(("sample", "feature")):
        if not found.shape[axis]:
            raise ConfigError(
                f"Found array with 0 {name}(s) (shape={found.shape}) while a minimum of 1 is "
                "required: give some"
            )
    if not np.isfinite(found).all():
        raise ConfigError("X contains NaN or infinity. Leave these rows out, or fill them")
    if rows is not None and found.shape[1:] != rows.shape:
        raise _other_shape(found.shape[1:], rows.shape)
    try:
        made = (rows or RowPreparation(found.shape[1:])).inputs(found)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if not torch.isfinite(made).all():
        raise ConfigError(
            f"X holds {np.abs(found).max():g}, beyond the numbers of float32, 3.4e38. Scale it"
        )
    return made


NO_NUMBERS = {"U": "texts", "S": "texts", "M": "dates", "m": "times", "V": "records"}
"""What an array holds that is of none of NumPy's kinds of numbers; of dates it would make some."""


def numbers_of(given: Any, name: str) -> np.ndarray:
    """An array of numbers, of whatever `array_of` takes.

    Raises:
        ValueError: lists of unequal lengths, or what is no number, as texts and dates.
        TypeError: objects that are no numbers.
    """
    found = array_of(given, name)
    held = NO_NUMBERS.get(found.dtype.kind)
    try:
        found = found.astype(np.float64) if found.dtype == object else found
    except ValueError:
        held = "texts"
    if held:
        raise ConfigError(f"{name}: holds {held}, and must hold numbers")
    return found


def _other_shape(has: tuple[int, ...], needs: tuple[int, ...]) -> ConfigError:
    """In scikit-learn's words where both are rows, and in like ones elsewhere."""
    if len(has) == len(needs) == 1:
        return ConfigError(
            f"X has {has[0]} features, but Classifier is expecting {needs[0]} features as input"
        )
    shown = ["x".join(map(str, one)) for one in (has, needs)]
    return ConfigError(f"X has examples of {shown[0]}, but Classifier is expecting {shown[1]}")


def check_ordered(given: Any, name: str) -> None:
    """Refuse what has its values in no order, or under names: each belongs to a place.

    Raises:
        ConfigError: a set or a dictionary.
    """
    if isinstance(given, set | frozenset | Mapping):
        kind = type(given).__name__
        raise ConfigError(
            f"{name}: a {kind}, in which nothing has a place. Give a list or an array"
        )


def array_of(given: Any, name: str) -> np.ndarray:
    """An array of whatever holds numbers: arrays, tensors on any device, tables, lists, generators.

    Raises:
        ValueError: lists of unequal lengths, values that are masked, or a set or a dictionary.
    """
    check_ordered(given, name)
    check_there(given, name)
    if isinstance(given, Tensor):
        given = given.detach().to_dense().cpu()
        small = given.is_floating_point() and given.itemsize < 4
        return (given.float() if small else given).numpy()  # NumPy has no bfloat16
    try:
        return np.asarray(list(given) if isinstance(given, Iterator) else given)
    except ValueError:
        raise ConfigError(f"{name}: has rows of unequal lengths. Give an array") from None
