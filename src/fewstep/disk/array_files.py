"""Arrays in files of NumPy's, as their owners bring them."""

from __future__ import annotations

import zipfile
import zlib


UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error),
    *(TypeError, AttributeError),
)
"""What `np.load` comes to at a file that is none, that is cut short, that lacks an array, or that
holds one array where several are asked for, and the other way round."""
