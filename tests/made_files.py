"""Files that tests lay out: folders, zip files, and pickles as Python 2 wrote them."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar


FINISHED = '{"schema": 1, "results": [{}]}'
"""The least by which a results.json says that its run has finished."""


def laid_out(root: Path, content: Mapping[str, bytes]) -> Path:
    """Files by their path under a folder."""
    for name, data in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def zipped(path: Path, content: Mapping[str, bytes]) -> Path:
    """The same in a zip file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def python2(value: object) -> bytes:
    """A pickle with text and bytes as strings of one kind, and with NumPy's old names."""
    file = io.BytesIO()
    _Python2(file, protocol=2).dump(value)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")


class _Python2(pickle._Pickler):
    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        data = value if isinstance(value, bytes) else value.encode("latin-1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string
