"""Arrays and tensors of whatever kind, made fit to draw tasks from."""

from __future__ import annotations

from mmap import mmap
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.messages.errors import some


SHOWN = 3
"""Of what is wrong, so many are named."""


def inputs_of(x: Any, what: str = "x") -> Tensor:
    """Inputs [n, *] on the CPU: fractions in their precision, truth values, bytes, or int64.

    Raises:
        ValueError: what are no such inputs, or hold values that are not finite.
    """
    check_there(x, what)
    rows = x.detach().cpu() if isinstance(x, Tensor) else _tensor(x, what)
    if rows.layout != torch.strided or rows.is_complex():
        kind, way = ("complex", "abs") if rows.is_complex() else ("sparse", "to_dense")
        raise ValueError(f"{what}: is {kind}. Give plain numbers, as {what}.{way}()")
    if rows.ndim < 2:
        raise ValueError(
            f"{what}: has the shape {list(rows.shape)}, and must be [examples, ...]. For one "
            f"number an example give {what}[:, None]"
        )
    if rows.is_floating_point():
        return _finite(rows.float() if rows.dtype == torch.bfloat16 else rows, what)
    return rows if rows.dtype in (torch.bool, torch.uint8) else rows.long()


def check_there(x: Any, what: str) -> None:
    """Refuse values that are not there, which reading them as an array would make numbers of.

    Raises:
        ValueError: masked values, or a tensor without values, or with those that stand for others.
    """
    if isinstance(x, Tensor) and (x.is_meta or x.is_quantized):
        kind, way = ("quantized", f", as {what}.dequantize()") if x.is_quantized else ("meta", "")
        raise ValueError(f"{what}: is a {kind} tensor. Give plain numbers{way}")
    parts = x if isinstance(x, (list, tuple)) else [x]
    masked = sum(np.ma.count_masked(p) for p in parts if isinstance(p, np.ma.MaskedArray))
    if masked:
        raise ValueError(
            f"{what}: {masked} of its values are masked. Fill them, as {what}.filled(0), or leave "
            "these examples out"
        )


def _tensor(x: Any, what: str) -> Tensor:
    try:
        array = np.asarray([np.asarray(row) for row in x] if isinstance(x, (list, tuple)) else x)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{what}: cannot be made one array ({error}). All examples must have one shape"
        ) from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what}: holds {array.dtype}, and must hold numbers")
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    wide = array.dtype.kind in "iu" and array.dtype != np.uint8
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{what}: holds {array.max()}, beyond the whole numbers of int64")
    array = array.astype(np.int64) if wide else array
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    if isinstance(x, np.memmap) and isinstance(x.base, mmap) and np.may_share_memory(array, x):
        array = _reopened(x)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _reopened(x: np.memmap) -> np.ndarray:
    """A mapped array that may be written to without its file, as torch wants it: nobody does."""
    if x.mode == "c" or not x.filename:
        return x
    return np.memmap(str(x.filename), x.dtype, "c", x.offset, x.shape)


def _finite(rows: Tensor, what: str) -> Tensor:
    bad = (~torch.isfinite(rows).flatten(1).all(1)).nonzero().flatten().tolist()
    if bad:
        raise ValueError(
            f"{what}: {len(bad)} of {len(rows)} examples hold values that are not finite (number "
            f"{some(bad, SHOWN)}). Correct them or leave them out"
        )
    return rows


def classes_of(y: Any, examples: int) -> tuple[list[str], np.ndarray]:
    """The names of the classes in order, and the place of each example's among them, [n] int64.

    Raises:
        ValueError: labels that are none, or not one an example.
    """
    check_there(y, "y")
    labels = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    if labels.dtype.kind in "US" and not isinstance(y, np.ndarray):  # NaN is a text by now
        labels = np.array([*y], dtype=object)
    if labels.ndim != 1:
        raise ValueError(
            f"y: has the shape {list(labels.shape)}, and must be one label an example, [n]. For "
            "rows with a one in them give y.argmax(1)"
        )
    if len(labels) != examples:
        raise ValueError(
            f"x has {examples} examples and y {len(labels)} labels. Give a label for each"
        )
    if not examples:
        raise ValueError("x: has no example. Give some of each class")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all() or (labels != np.round(labels)).any():
            raise ValueError(
                "y: holds fractions, and must hold whole numbers or texts. For targets that are "
                "numbers use FunctionTasks"
            )
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "O":  # of NumPy's own numbers, too
        own = [one.item() if isinstance(one, np.generic) else one for one in labels]
        labels = np.array([*own, None], dtype=object)[:-1]
    if strange := [label for label in labels.tolist() if not isinstance(label, (int, str, bytes))]:
        kind = type(strange[0]).__name__
        missing = strange[0] is None or strange[0] != strange[0]
        what = f"no label ({strange[0]})" if missing else f"a {kind}"
        raise ValueError(f"y: holds {what}, and must hold whole numbers or texts")
    known = {(type(label).__name__, label) for label in labels.tolist()}  # 1 is no True
    place: dict[str, int] = {}
    for _, label in sorted(known):
        place.setdefault(name_of(label), len(place))
    return [*place], np.array([place[name_of(label)] for label in labels.tolist()], dtype=np.int64)


def name_of(label: Any) -> str:
    """The name of the class that a label means: of a number, a text, bytes, or one in a tensor."""
    plain = label.item() if isinstance(label, (Tensor, np.generic)) else label
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return plain.decode(errors="replace") if isinstance(plain, bytes) else str(plain)


def placed(values: Any, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """A tensor or array on a device; fractions in a precision, whole numbers as they are."""
    values = torch.as_tensor(values)
    return values.to(device, dtype if values.is_floating_point() else None)
