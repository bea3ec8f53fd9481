"""Files that torch.save wrote, by what they are before torch reads them."""

from __future__ import annotations

import zipfile
from pathlib import Path

from fewstep.disk.magic import kind


ZIP = "a zip archive"
"""What torch.save writes."""


def check_file(path: Path) -> None:
    """Refuse what would fill the memory, or is no file of torch, before it is read.

    Raises:
        ValueError: what is wrong with the file.
    """
    if not path.is_file():
        raise ValueError("it is a folder, or no plain file")
    size = path.stat().st_size
    if not size:
        raise ValueError("the file is empty")
    if not zipfile.is_zipfile(path):  # torch would take it for a pickle, and advise to run that
        with path.open("rb") as file:
            found = kind(file.read(512))
        raise ValueError("its end is missing" if found == ZIP else f"it is {found}")
    with zipfile.ZipFile(path) as members:
        unpacked = sum(member.file_size for member in members.infolist())
    if unpacked > size:  # torch.save compresses nothing
        raise ValueError(f"{size:,} bytes that would become {unpacked:,}")
