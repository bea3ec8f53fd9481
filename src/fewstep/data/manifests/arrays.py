"""What lies in a manifest's file, held against what it must be before it is taken for tasks."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewstep.data.classes.members import Members


FORMAT = 2
PARTS = ("ways", "classes", "shots", "queries", "support", "query")
"""The arrays that say who is in which task: whole numbers, one task after another."""
WHOLE = (*PARTS, "class_ids")
LEAST = {"seed": 0, "ways": 2, "shots": 1, "queries": 1}
"""Whole numbers that a file says of its tasks, and their least."""
MOST = 2**63 - 1
"""And their most, as of `eval.seed`."""
ABOUT = {"dataset": str, "data_sha256": str, "split": str, "varies": bool}
ABOUT |= dict.fromkeys(LEAST, int)
HASHES = ("episodes_sha256", "content_sha256")
ARRAYS = (*WHOLE, "class_names", "about")


Arrays = Mapping[str, np.ndarray]


def content_sha256(arrays: Arrays, about: Mapping[str, Any]) -> str:
    """The digest of all that is in a file but its two hashes: what the ids leave out, too."""
    said = {name: value for name, value in about.items() if name not in HASHES}
    numbers = [arrays[name].tolist() for name in WHOLE]
    content = [*numbers, arrays["class_names"].tolist(), said]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> tuple[Arrays, Mapping[str, Any]]:
    """The arrays of a file, whoever wrote it, and what it says of them.

    Raises:
        ValueError: what is wrong with it.
        OSError: it cannot be opened.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("it is a folder, or no plain file")
    with path.open("rb") as opened:
        if not zipfile.is_zipfile(opened):
            raise ValueError("it is no NumPy archive")
        opened.seek(0)
        with np.load(opened, allow_pickle=False) as file:
            if missing := [name for name in ARRAYS if name not in file]:
                raise ValueError(f"it has no {missing[0]}")
            arrays = {name: _array(file, name) for name in ARRAYS}
    about = json.loads(str(arrays.pop("about").item()))
    _check_about(about)
    if len(arrays["class_ids"]) != len(arrays["class_names"]):
        raise ValueError("it has other numbers of class_ids than of class_names")
    if len({*arrays["class_ids"].tolist()}) < len(arrays["class_ids"]):
        raise ValueError("its class_ids have one twice")
    return arrays, about


def _array(file: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """An array of the kind that it must be of: whole numbers in one dimension, or texts."""
    try:
        array = file[name]
    except ValueError:  # of Python's objects, which are not unpickled
        raise ValueError(f"its {name} holds neither numbers nor texts") from None
    if name == "about":
        if array.dtype.kind != "U" or array.size != 1:
            raise ValueError("its about is not one text")
        return array
    kinds, wanted = ("U", "texts") if name == "class_names" else ("iu", "whole numbers")
    if array.dtype.kind not in kinds or array.ndim != 1:
        raise ValueError(
            f"its {name} is of {array.dtype} in {array.ndim} dimensions, and must be {wanted} in 1"
        )
    return array if name == "class_names" else array.astype(np.int64)


def _check_about(about: Any) -> None:
    """Raises ValueError where it does not say what it should, or not as it should."""
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        older = f", which has no {HASHES[1]}" if found == 1 else ""
        anew = "; remove it and write it anew with the same overrides" if older else ""
        raise ValueError(f"it is of format {found}{older}, and this reads {FORMAT}{anew}")
    for name, kind in ABOUT.items():
        if name not in about:
            raise ValueError(f"its about has no {name}")
        if type(about[name]) is not kind or (kind is int and not _counts(name, about[name])):
            raise ValueError(f"its {name} is {str(about[name])[:40]}")


def _counts(name: str, number: int) -> bool:
    """Whether a whole number may be what a configuration would be given in its place."""
    return LEAST[name] <= number <= MOST


def members(arrays: Arrays) -> Sequence[Members]:
    """The tasks that arrays are of.

    Raises:
        ValueError: their lengths are not what they say, or a number is below 0.
    """
    if not arrays["ways"].size:
        raise ValueError("it has no tasks")
    if any((arrays[name] < 0).any() for name in WHOLE):
        raise ValueError("it has a number below 0")
    if any(len(arrays[name]) != arrays["ways"].sum() for name in ("classes", "shots", "queries")):
        raise ValueError("its tasks have other numbers of classes than it says")
    classes, shots, queries = (
        np.split(arrays[name], np.cumsum(arrays["ways"])[:-1])
        for name in ("classes", "shots", "queries")
    )
    each = [(sum(s), sum(q)) for s, q in zip(shots, queries, strict=True)]
    ends = np.cumsum(np.array(each), axis=0)
    if tuple(ends[-1]) != (len(arrays["support"]), len(arrays["query"])):
        raise ValueError("it has other numbers of images than it says")
    support, query = (
        np.split(arrays[name], ends[:-1, place]) for place, name in enumerate(("support", "query"))
    )
    return [
        Members(c, tuple(s.tolist()), x, tuple(q.tolist()), y)
        for c, s, x, q, y in zip(classes, shots, support, queries, query, strict=True)
    ]
