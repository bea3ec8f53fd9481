"""Arrays in files of NumPy's, as their owners bring them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib.format import MAGIC_PREFIX

from fewstep.disk.homes import expanded
from fewstep.disk.magic import kind


UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error),
    *(TypeError, AttributeError),
)
"""What `np.load` comes to at a file that is none, that is cut short, that lacks an array, or that
holds one array where several are asked for, and the other way round."""


def reason(error: BaseException, path: Path) -> str:
    """What `np.load` came to at a file, without its advice to unpickle what a stranger has made."""
    if "pickle" not in str(error):
        return str(error)
    with path.open("rb") as file:
        found = kind(file.read(512))
    holds = found in (kind(MAGIC_PREFIX), kind(b"PK\x03\x04"))
    return "it holds Python objects, which are not read" if holds else f"it is {found}"


def read_numbers(file: str, key: str, what: str) -> np.ndarray:
    """The real numbers of a .npy file in double precision; nothing in it is unpickled.

    Raises:
        ValueError: naming the key: no such file, or none of that kind.
    """
    if not (path := expanded(file, key)).is_file():
        raise ValueError(f"{key}={file}: no such file. It is a .npy of {what}")
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
        if np.iscomplexobj(found):
            raise ValueError("complex numbers")
        return found.astype(np.float64)
    except UNREADABLE as error:
        raise ValueError(
            f"{key}={file}: cannot be read as a .npy of {what} ({reason(error, path)})"
        ) from None
