"""The names of an archive's members, as people and programs write them, made plain paths."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from fewstep.disk.litter import is_hidden


def placed(names: Iterable[str]) -> tuple[dict[str, PurePosixPath], list[str]]:
    """Where each member lies below the archive's top, and the names of those that lie outside.

    A backslash separates folders as a slash does (PowerShell writes them), `.` and `x/..` lead
    nowhere. What begins all the names (a drive, a root, steps up) is dropped; without that in
    common, a name that has it points outside of the archive, and nothing out there is meant.
    Folders, names with nothing in them and litter are left out.
    """
    anchored = {}
    for name in names:
        slashed = name.replace("\\", "/")
        if slashed.endswith("/"):
            continue
        anchor, path = _anchored(slashed)
        if path.parts and not is_hidden(path):
            anchored[name] = anchor, path
    anchors = {anchor for anchor, _ in anchored.values()}
    common = anchors.pop() if len(anchors) == 1 else ""
    found = {name: path for name, (anchor, path) in anchored.items() if anchor == common}
    return found, [name for name in anchored if name not in found]


def class_folders(paths: Sequence[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    """The files by class: by their folder, below those at the top that stand alone.

    A file beside the classes' folders belongs to none.
    """
    level = 0
    while len({path.parts[level] for path in paths if len(path.parts) > level + 1}) == 1 and any(
        len(path.parts) > level + 2 for path in paths
    ):
        level += 1
    classes: dict[str, list[PurePosixPath]] = {}
    for path in paths:
        if len(path.parts) > level + 1:
            classes.setdefault(path.parts[level], []).append(path)
    return classes


def _anchored(name: str) -> tuple[str, PurePosixPath]:
    """What leads out of the archive, and the path from there."""
    drive = name[:2] if re.match(r"[A-Za-z]:/", name) else ""
    plain = posixpath.normpath(name[len(drive) :])
    path = plain.lstrip("/")
    root = "/" if len(path) < len(plain) else ""
    steps = 0
    while path == ".." or path.startswith("../"):
        path, steps = path[3:], steps + 1
    return f"{drive}{root}{'../' * steps}", PurePosixPath(path)
