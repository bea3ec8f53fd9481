"""Arrays in files of NumPy's, as their owners bring them."""

from __future__ import annotations

import zipfile
import zlib

import numpy as np

from fewstep.disk.homes import expanded


UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error),
    *(TypeError, AttributeError),
)
"""What `np.load` comes to at a file that is none, that is cut short, that lacks an array, or that
holds one array where several are asked for, and the other way round."""


def read_numbers(file: str, key: str, kind: str) -> np.ndarray:
    """The real numbers of a .npy file in double precision; nothing in it is unpickled.

    Raises:
        ValueError: naming the key: no such file, or none of that kind.
    """
    if not (path := expanded(file, key)).is_file():
        raise ValueError(f"{key}={file}: no such file. It is a .npy of {kind}")
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
        if np.iscomplexobj(found):
            raise ValueError("complex numbers")
        return found.astype(np.float64)
    except UNREADABLE as error:
        raise ValueError(f"{key}={file}: cannot be read as a .npy of {kind} ({error})") from None
